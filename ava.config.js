// Unit tests lie beside the code and need no root. Integration tests have a config of their own (integration/ava.config.js).
export default {
  files: ['daemon/{,fuzz/,bench/}src/**/*.test.ts', 'native-shims/*/src/**/*.test.ts'],
  typescript: {
    rewritePaths: {
      'daemon/src/': 'daemon/dist/',
      'daemon/fuzz/src/': 'daemon/fuzz/dist/',
      'daemon/bench/src/': 'daemon/bench/dist/',
      'native-shims/tuntap2/src/': 'native-shims/tuntap2/dist/',
      'native-shims/packet-io/src/': 'native-shims/packet-io/dist/',
    },
    compile: false,
  },
  workerThreads: false,
};
