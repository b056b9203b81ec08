import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
  ConfigError,
  configSchema,
  defaultNetworkMtu,
  lastingChanges,
  mtuBehind,
  parseConfig,
  readConfig,
} from './config.js';

const ageing = (rules: string): string => `{ tunnel: { address: 192.0.2.1 }, flowAgeing: [${rules}] }`;
const FILE = '/etc/vrouterd/vrouterd.yaml';

test('a tunnel address is all a configuration needs', (t) => {
  const config = parseConfig('tunnel: { address: 192.0.2.1 }', FILE);
  t.is(config.stateDir, '/var/lib/vrouterd');
  t.is(config.api.socket, '/run/vrouterd/vrouterd.sock');
  t.is(config.redis, 'embedded');
  t.is(config.redisPrefix, 'vrouter:');
  t.deepEqual(config.tunnel.encapsulations, ['MPLSoUDP', 'MPLSoGRE', 'VXLAN']);
  t.deepEqual(config.datapath, {
    agentRate: 1000,
    agentBurst: 2000,
    flowEntries: 524_288,
    flowOverflow: 105_472,
    flowsPerInterface: 131_072,
    closeOnAnyReset: false,
    hostInterface: 'vhost0',
  });
  t.true(config.host.length > 0);
});

test('the example shows the defaults as they are', (t) => {
  const example = readConfig(fileURLToPath(new URL('../../config/vrouterd.example.yaml', import.meta.url)));
  t.deepEqual(example, parseConfig('{ host: alpha, tunnel: { address: 192.0.2.1 } }', FILE));
});

test('what is wrong is named with its path', (t) => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /^\/etc\/vrouterd\/vrouterd\.yaml: tunnel: /],
    ['tunnel: { address: nowhere }', /tunnel\.address: /],
    ['tunnel: { address: 192.0.2.1, mtu: 100 }', /tunnel\.mtu: /],
    ['tunnel: { address: 192.0.2.1, driver: raw }', /tunnel\.encapsulations: .*\[MPLSoGRE\]/],
    [
      'tunnel: { address: "fd00::1", driver: raw, encapsulations: [MPLSoGRE] }',
      /tunnel\.address: is not an IPv4 address/,
    ],
    ['{ tunnel: { address: 192.0.2.1 }, datapath: { hostInterface: a/b } }', /datapath\.hostInterface: /],
    ['tunnel: { address: 192.0.2.1 }\nspeed: high', /speed/],
    ['tunnel: { address: 192.0.2.1 }\nstateDir: here', /stateDir: /],
    ['tunnel: [', /vrouterd\.yaml:1:10: /],
    ['{ tunnel: { address: 192.0.2.1 }, redis: "redis://h:99999" }', /redis/],
    ['{ tunnel: { address: 192.0.2.1 }, redis: "redis://h/x" }', /redis/],
    ['{ tunnel: { address: 192.0.2.1 }, metrics: { listen: "x:99999" } }', /metrics\.listen: is not ADDRESS:PORT/],
    [ageing('{ protocol: icmp, port: 7, seconds: 1 }'), /flowAgeing\[0\]\.port: is not for a protocol without ports/],
    [ageing('{ protocol: gre, seconds: 1 }'), /flowAgeing\[0\]\.protocol: /],
    [ageing('{ protocol: tcp }'), /flowAgeing\[0\]\.seconds: is missing/],
    [ageing('{ protocol: tcp, seconds: 1 }, { protocol: 6, seconds: 2 }'), /flowAgeing\[1\]: says a second time/],
    ['{ tunnel: { address: 192.0.2.1 }, sessions: { file: { path: log } } }', /sessions\.file\.path: /],
    ['{ tunnel: { address: 192.0.2.1 }, sessions: { sample: 0 } }', /sessions\.sample: /],
    [
      '{ tunnel: { address: 192.0.2.1 }, datapath: { flowEntries: 3000 } }',
      /datapath\.flowEntries: is not a power of two/,
    ],
    ['{ tunnel: { address: 192.0.2.1 }, datapath: { flowEntries: 512 } }', /datapath\.flowEntries: /],
    ['{ tunnel: { address: 192.0.2.1 }, datapath: { flowsPerInterface: 1 } }', /datapath\.flowsPerInterface: /],
    ['{ tunnel: { address: 192.0.2.1 }, "a\\nb": 1 }', /^[^\n]*a\\u000ab[^\n]*$/],
  ];
  for (const [text, message] of refused) {
    t.throws(() => parseConfig(text, FILE), { instanceOf: ConfigError, message });
  }
});

test('a configuration nested without end is refused with its place, as resources are', (t) => {
  for (const deep of ['[', '{a: ', '- ']) {
    const text = `tunnel: { address: 192.0.2.1 }\nspeed:\n  ${deep.repeat(20_000)}`;
    const message = /^\/etc\/vrouterd\/vrouterd\.yaml:3:\d+: nested more than 100 levels deep; correct the YAML$/;
    t.throws(() => parseConfig(text, FILE), { instanceOf: ConfigError, message });
  }
});

test('YAML without end, two documents and what is no YAML are refused with their place', (t) => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['&a\nspeed: *a', /yaml:1:1: an alias lies in what it stands for; correct the YAML$/],
    ['a: 1\n--- \nb: 1', /yaml:1:1: a configuration is one document, not 2; correct the YAML$/],
    ['tunnel: [', /yaml:1:\d+: .*; correct the YAML$/],
  ];
  for (const [text, message] of refused) {
    t.throws(() => parseConfig(text, FILE), { instanceOf: ConfigError, message });
  }
});

test('networks get what the largest encapsulation leaves of the underlay', (t) => {
  t.is(defaultNetworkMtu(['MPLSoUDP', 'MPLSoGRE', 'VXLAN'], 1500), 1450);
  t.is(defaultNetworkMtu(['MPLSoUDP'], 1500), 1454);
  t.is(defaultNetworkMtu(['MPLSoGRE'], 9000), 8958);
  t.is(mtuBehind('192.0.2.1', 1500), 1500);
  t.is(mtuBehind('2001:db8::1', 1500), 1480);
});

test('fields that a running daemon takes over are told from those that need a restart', (t) => {
  const from = parseConfig('{ tunnel: { address: 192.0.2.1 } }', FILE);
  const quick = parseConfig(ageing('{ seconds: 9 }'), FILE);
  t.deepEqual(lastingChanges(from, quick), []);
  const other = parseConfig('{ host: other, tunnel: { address: 192.0.2.2 }, metrics: { listen: "x:1" } }', FILE);
  t.deepEqual(new Set(lastingChanges(from, other)), new Set(['host', 'tunnel', 'metrics']));
});

test('the JSON Schema in config/schema is what the validator says (else run npm run schemas)', (t) => {
  const file = new URL('../../config/schema/vrouterd.json', import.meta.url);
  t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(configSchema())));
});
