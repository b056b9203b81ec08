// The import directions of the source tree. A folder may import itself, what is listed here, and node or npm packages.
const allowed = {
  wire: [],
  packet: ['wire'],
  tables: ['packet', 'wire'],
  io: ['packet', 'wire'],
  datapath: ['tables', 'packet', 'wire'],
  control: ['wire'],
  agent: ['control', 'tables', 'packet', 'wire'],
  trace: ['agent', 'control', 'datapath', 'io', 'tables', 'packet', 'wire'],
  api: ['agent', 'control', 'tables', 'packet'],
  analyzer: ['wire'],
  cli: ['wire'],
};
const also = {
  datapath: '^daemon/src/io/device\\.ts$',
  analyzer: '^daemon/src/(trace/packet-text|cli/(exit|tool))\\.ts$',
  cli: '^daemon/src/(control/(schema|kinds|[a-z-]*dumps|flow-match)|yaml|analyzer/command)\\.ts$',
};
const isTest = '\\.test\\.ts$';

module.exports = {
  forbidden: [
    ...Object.entries(allowed).map(([folder, targets]) => ({
      name: `${folder}-imports-only-${['itself', ...targets].join('-')}`,
      severity: 'error',
      from: { path: `^daemon/src/${folder}/`, pathNot: isTest },
      to: {
        path: '^daemon/src/',
        pathNot: [`^daemon/src/(${[folder, ...targets].join('|')})/`, ...(also[folder] ? [also[folder]] : [])],
      },
    })),
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'native-shims-only-from-io-and-agent',
      severity: 'error',
      from: { path: '^daemon/src/(wire|packet|tables|datapath|control|api|cli)/', pathNot: isTest },
      to: { path: '(^|/)(tuntap2|packet-io)(/|$)' },
    },
    {
      name: 'testing-only-from-tests',
      severity: 'error',
      from: { path: '^daemon/src/', pathNot: [isTest, '^daemon/src/testing/'] },
      to: { path: '^daemon/src/testing/' },
    },
  ],
  options: { tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
};
