import test from 'ava';

import { parseEmitTarget } from './emit-target.js';

test('a target has the usual port of its format, and numbers that are not chosen are the smallest useful ones', (t) => {
  const url = 'vxlan://collector.example';
  t.deepEqual(parseEmitTarget(url), {
    format: 'vxlan',
    host: 'collector.example',
    port: 4789,
    options: { vni: 1 },
    url,
  });
  t.deepEqual(parseEmitTarget('jmirror://192.0.2.9').options, { mirror: 1, session: 1 });
  t.is(parseEmitTarget('jmirror://192.0.2.9').port, 30030);
  t.is(parseEmitTarget('tzsp://192.0.2.9').port, 37008);
  t.is(parseEmitTarget('erspan://192.0.2.9').port, 0);
  t.deepEqual(parseEmitTarget('erspan://192.0.2.9').options, { session: 1, version: 2 });
});

test('port and numbers of a target can be chosen, and it may be an IPv6 address', (t) => {
  const { host, port, options } = parseEmitTarget('vxlan://[2001:db8::1]:4790?vni=16777215');
  t.deepEqual({ host, port, options }, { host: '2001:db8::1', port: 4790, options: { vni: 16777215 } });
  t.is(parseEmitTarget('vxlan://a:80').port, 80);
  t.deepEqual(parseEmitTarget('erspan://a?version=3&session=0').options, { session: 0, version: 3 });
});

for (const [url, problem] of [
  ['192.0.2.9', 'use vxlan://HOST[:PORT]'],
  ['toString://a', 'use vxlan://HOST'],
  [
    'netflow://a',
    'there is no netflow; use vxlan://HOST[:PORT], jmirror://HOST[:PORT], tzsp://HOST[:PORT], erspan://HOST',
  ],
  ['vxlan://', 'this is no host and port'],
  ['vxlan://a:70000', 'this is no host and port'],
  ['vxlan://a:0', '0 is no port'],
  ['vxlan://a/b', 'use vxlan://HOST[:PORT][?OPTIONS]'],
  ['vxlan://a?vni=16777216', 'vni is a number from 0 to 16777215'],
  ['vxlan://a?vni=-1', 'vni is a number from 0 to 16777215'],
  ['vxlan://a?vni=', 'vni is a number from 0 to 16777215'],
  ['vxlan://a?session=1', 'there is no session; use vni'],
  ['tzsp://a?constructor=1', 'there is no constructor; tzsp has no options'],
  ['erspan://a:50', 'erspan has no ports'],
] as const) {
  test(`${url} is refused`, (t) => {
    const error = t.throws(() => parseEmitTarget(url));
    t.true(error.message.startsWith(`${url}: ${problem}`), error.message);
  });
}
