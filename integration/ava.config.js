// Integration tests make real network namespaces, so they need root; without it there is nothing to run and ava is told so.
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('integration tests skipped: they need root\n');

export default {
  files: isRoot ? ['integration/src/**/*.test.ts'] : ['integration/src/without-root.ts'],
  typescript: { rewritePaths: { 'integration/src/': 'integration/dist/' }, compile: false },
  // A thread cannot enter a namespace without its siblings noticing: every test file is a process. Three at a time, as they share
  // nothing and mostly wait; the tests of a file come one after the other.
  workerThreads: false,
  concurrency: 3,
  serial: true,
  timeout: '5m',
};
