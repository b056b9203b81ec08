import test from 'ava';

import { Exit, STATUS } from '../cli/exit.js';
import { type AnalyzerArgs, parseAnalyzer } from './args.js';

const parse = (line: string): AnalyzerArgs => parseAnalyzer(line.split(' '));

test('HTTP is served at localhost with a new token, from the folder of the capture file', (t) => {
  const tls = undefined;
  t.is(parse('-w /var/cap/x.pcapng').http, null);
  t.deepEqual(parse('--http 8080').http, {
    address: '127.0.0.1',
    port: 8080,
    tokenFile: undefined,
    captures: 'captures',
    tls,
  });
  t.is(parse('--http 8080 -w /var/cap/x.pcapng').http?.captures, '/var/cap');
  t.is(parse('--http 8080 -w -').http?.captures, 'captures');
  t.is(parse('--http 8080 -w a.pcapng --captures b').http?.captures, 'b');
  t.is(parse('--http 8080 --token-file /etc/token').http?.tokenFile, '/etc/token');
});

test('HTTP may be served at any address', (t) => {
  const at = (text: string) => {
    const http = parse(`--http ${text}`).http;
    return [http?.address, http?.port];
  };
  t.deepEqual(at('192.0.2.1:0'), ['192.0.2.1', 0]);
  t.deepEqual(at('[2001:db8::1]:65535'), ['2001:db8::1', 65535]);
  t.deepEqual(at('analyzer.example:80'), ['analyzer.example', 80]);
  for (const text of ['', 'x', ':80', '65536', '-1', '2001:db8::1', '1.2.3.4', '[::1]80']) {
    t.is(t.throws(() => parse(`--http=${text}`), { instanceOf: Exit }).status, STATUS.usage, text);
  }
});

test('frames that are served or sent on are shown only when that is asked for', (t) => {
  t.is(parse('--http 8080').show, 'nothing');
  t.is(parse('--emit tzsp://a').show, 'nothing');
  t.is(parse('--emit tzsp://a --text').show, 'text');
  t.deepEqual(
    parse('--emit tzsp://a --emit vxlan://b:1?vni=2').emit.map(({ url }) => url),
    ['tzsp://a', 'vxlan://b:1?vni=2'],
  );
});

for (const [line, problem] of [
  ['--token-file x', '--token-file goes with --http'],
  ['--captures x', '--captures goes with --http'],
  ['--http 1 --tls-cert x', '--tls-cert and --tls-key go together'],
  ['--tls-cert x --tls-key y', '--tls-cert goes with --http'],
  ['--emit http://x', 'there is no http'],
] as const) {
  test(`vrouter analyzer ${line} is refused`, (t) => {
    const error = t.throws(() => parse(line), { instanceOf: Exit });
    t.is(error.status, STATUS.usage);
    t.true(error.message.includes(problem), error.message);
  });
}
