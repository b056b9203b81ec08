/**
 * The dissector of mirrored packets in a stock tshark that found it where `vrouter analyzer --install-dissector` put it:
 *
 *     frames made here ── pcap ──► tshark, HOME=<lab> ──► fields
 */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';
import { type Decoded, decode } from './lab/decoded.js';
import { Lab } from './lab/lab.js';
import { pcapFile } from './lab/pcap-file.js';
import { attempt, run } from './lab/process.js';

const VROUTER = fileURLToPath(new URL('../../node_modules/.bin/vrouter', import.meta.url));

const TRAFFIC = 'default-domain:tim:traffic-net';
const OTHER = 'default-domain:admin:the-network-next-door';
const END = [0xff, 0];
const tlv = (type: number, value: readonly number[] | string): number[] => {
  const bytes = [...Buffer.from(value as string)];
  return [type, bytes.length, ...bytes];
};
const mac = (n: number): string => `02:00:00:00:00:0${n}`;
const inner = eth({ src: mac(1), dst: mac(2) })
  .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
  .ping({ ident: 44801, seq: 0 })
  .payload(new Uint8Array(56))
  .bytes();
/** A mirrored packet as an analyzer receives it. */
const mirrored = (metadata: readonly number[], frame: ArrayLike<number> = inner, port = 8099): Uint8Array =>
  eth({ src: mac(3), dst: mac(4) })
    .ipv4({ src: '192.0.2.1', dst: '7.7.7.3', ttl: 63 })
    .udp(64035, port)
    .payload([...metadata, ...Array.from(frame)])
    .bytes();
const HOST = tlv(1, [192, 0, 2, 1]);
const HOST6 = tlv(1, [0x20, 0x01, 0x0d, 0xb8, ...new Array<number>(11).fill(0), 9]);
const FLAGS = tlv(2, [0x40, 0, 0, 0xa0]);
const ENDS = [...tlv(3, TRAFFIC), ...tlv(4, OTHER)];

const BITS = [
  ...['alert', 'deny', 'log', 'pass', 'mirror', 'vrf_translate', 'apply_qos', 'host_based_service'],
  ...['trap', 'implicit_deny', 'ingress'],
].map((bit) => `cmirror.flags.${bit}`);

interface Wireshark {
  /** Decodes the frames with options of tshark; of the fields of a frame only those that are there. */
  readonly show: (
    frames: readonly Uint8Array[],
    fields: readonly string[],
    options?: { arguments?: readonly string[]; filter?: string; snapLengths?: readonly number[] },
  ) => Promise<readonly Decoded[]>;
}

/** A tshark of a user without anything but the plugin. */
async function wireshark(t: ExecutionContext): Promise<Wireshark> {
  const lab = await Lab.create(t);
  const env = { HOME: lab.directory };
  const said = await run([VROUTER, 'analyzer', '--install-dissector'], { env });
  t.true(said.startsWith(join(lab.directory, '.local/lib/wireshark/plugins/cmirror.lua')), said);
  const file = join(lab.directory, 'mirrored.pcap');
  return {
    show: async (frames, fields, options) => {
      await writeFile(file, pcapFile(frames, options?.snapLengths));
      const decoded = await decode(file, fields, { env, ...options });
      return decoded.map((row) => Object.fromEntries(Object.entries(row).filter(([, values]) => values.length > 0)));
    },
  };
}

test('copies of both directions of a port and of flows show their metadata and the frame that was copied', async (t) => {
  const { show } = await wireshark(t);
  const names = ['capture_host', 'capture_host6', 'flags', 'src_vn', 'dst_vn', 'direction', 'kind', 'len'];
  const fields = [...names.map((name) => `cmirror.${name}`), ...BITS, 'ip.src', 'icmp.ident', '_ws.col.Info'];
  const decoded = await show(
    [
      mirrored([...tlv(3, TRAFFIC), ...END]),
      mirrored([...tlv(4, OTHER), ...END]),
      mirrored([...HOST, ...FLAGS, ...ENDS, ...END]),
      mirrored([...HOST6, ...tlv(2, [0, 0x28]), ...ENDS, ...END]),
      mirrored(END),
    ],
    fields,
  );
  const ping = 'Echo (ping) request';
  const info = decoded.map((row) => row['_ws.col.Info'][0].split(ping)[0]);
  t.deepEqual(info, [
    '[traffic-net ingress] ',
    '[the-network-next-door egress] ',
    '[traffic-net > the-network-next-door ingress] ',
    '[traffic-net > the-network-next-door unknown] ',
    '[mirrored] ',
  ]);
  const always = { 'ip.src': ['192.0.2.1', '4.4.4.3'], 'icmp.ident': ['44801'] };
  const bits = (...set: string[]): Record<string, string[]> =>
    Object.fromEntries(BITS.map((bit) => [bit, [set.includes(bit.slice('cmirror.flags.'.length)) ? '1' : '0']]));
  const oldBits = Object.fromEntries(Object.entries(bits('deny', 'pass')).slice(0, 8));
  const networks = { 'cmirror.src_vn': [TRAFFIC], 'cmirror.dst_vn': [OTHER] };
  const of = (kind: string, direction: string, len: number): Record<string, string[]> => ({
    'cmirror.kind': [kind],
    'cmirror.direction': [direction],
    'cmirror.len': [String(len)],
    ...always,
  });
  const expected = [
    { 'cmirror.src_vn': [TRAFFIC], ...of('port', 'ingress', 4 + TRAFFIC.length) },
    { 'cmirror.dst_vn': [OTHER], ...of('port', 'egress', 4 + OTHER.length) },
    {
      ...{ 'cmirror.capture_host': ['192.0.2.1'], 'cmirror.flags': ['0x400000a0'] },
      ...{ ...networks, ...bits('pass', 'mirror', 'ingress') },
      ...of('flow', 'ingress', 18 + TRAFFIC.length + OTHER.length),
    },
    {
      ...{ 'cmirror.capture_host6': ['2001:db8::9'], 'cmirror.flags': ['0x00000028'] },
      ...{ ...networks, ...oldBits },
      ...of('flow', 'unknown', 28 + TRAFFIC.length + OTHER.length),
    },
    of('none', 'unknown', 2),
  ];
  t.deepEqual(
    decoded.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => name !== '_ws.col.Info'))),
    expected,
  );
});

test('any port is decoded when it is asked for, be it by hand, as a preference, or by what datagrams begin with', async (t) => {
  const { show } = await wireshark(t);
  const frames = [8099, 8888, 9001].map((port) => mirrored([...tlv(3, TRAFFIC), ...END], inner, port));
  const ports = async (...options: string[]): Promise<string[]> =>
    (await show(frames, ['udp.dstport'], { arguments: options, filter: 'cmirror' })).map(
      (row) => row['udp.dstport'][0],
    );
  t.deepEqual(await ports(), ['8099']);
  t.deepEqual(await ports('-d', 'udp.port==8888,cmirror'), ['8099', '8888']);
  t.deepEqual(await ports('-o', 'cmirror.ports:8888-8890,9001'), ['8888', '9001']);
  t.deepEqual(await ports('-o', 'cmirror.heuristic:TRUE'), ['8099', '8888', '9001']);
});

test('display filters choose by network, direction and flag', async (t) => {
  const { show } = await wireshark(t);
  const frames = [
    mirrored([...tlv(3, TRAFFIC), ...END]),
    mirrored([...tlv(4, OTHER), ...END]),
    mirrored([...HOST, ...FLAGS, ...ENDS, ...END]),
  ];
  const numbers = async (filter: string): Promise<string[]> =>
    (await show(frames, ['frame.number'], { filter })).map((row) => row['frame.number'][0]);
  t.deepEqual(await numbers('cmirror.src_vn contains "traffic"'), ['1', '3']);
  t.deepEqual(await numbers('cmirror.direction == "egress"'), ['2']);
  t.deepEqual(await numbers('cmirror.flags.pass == 1 && cmirror.capture_host == 192.0.2.0/24'), ['3']);
});

test('what is malformed is said, one expert information each, and nothing of it is taken for a frame', async (t) => {
  const { show } = await wireshark(t);
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['overrun', mirrored([3, 240, ...Buffer.from('abc')], [])],
    ['no_end', mirrored(tlv(3, TRAFFIC), [])],
    ['no_end', mirrored([...tlv(3, TRAFFIC), 0xff], [])],
    ['short_frame', mirrored([...tlv(3, TRAFFIC), ...END], inner.subarray(0, 13))],
    ['short_frame', mirrored(END, [])],
    ['duplicate', mirrored([...tlv(3, TRAFFIC), ...tlv(3, OTHER), ...END])],
    ['unknown_type', mirrored([...tlv(9, 'x'), ...END])],
    ['bad_length', mirrored([...tlv(1, 'abc'), ...END])],
    ['bad_length', mirrored([...tlv(2, ''), ...END])],
    ['bad_length', mirrored([0xff, 1, 0])],
  ];
  const named = ['overrun', 'no_end', 'short_frame', 'duplicate', 'unknown_type', 'bad_length'];
  const decoded = await show(
    cases.map(([, frame]) => frame),
    [...named.map((name) => `cmirror.${name}`), 'icmp.ident', '_ws.lua.error'],
  );
  const isWhole = new Set(['duplicate', 'unknown_type', 'bad_length']);
  t.deepEqual(
    decoded.map((row) => Object.keys(row)),
    cases.map(([name]) => [`cmirror.${name}`, ...(isWhole.has(name) ? ['icmp.ident'] : [])]),
  );
});

test('packets cut by a snap length are shown as far as they go, and raise no error', async (t) => {
  const { show } = await wireshark(t);
  const names = ['direction', 'kind', 'src_vn', 'cut', 'no_end', 'overrun', 'short_frame'];
  const fields = [...names.map((name) => `cmirror.${name}`), '_ws.lua.error', '_ws.col.Info'];
  const headers = 14 + 20 + 8;
  const cases = [
    { metadata: [...tlv(3, TRAFFIC), ...END], kind: 'port', kindAt: 34, directionAt: 34, sourceAt: 32 },
    { metadata: [...HOST, ...FLAGS, ...ENDS, ...END], kind: 'flow', kindAt: 2, directionAt: 12, sourceAt: 44 },
  ];
  for (const { metadata, kind, kindAt, directionAt, sourceAt } of cases) {
    const whole = mirrored(metadata);
    const lengths = Array.from({ length: whole.length - headers - 1 }, (_, i) => i + 1);
    const snapLengths = lengths.map((length) => headers + length);
    const decoded = await show(new Array<Uint8Array>(lengths.length).fill(whole), fields, { snapLengths });
    t.is(decoded.length, lengths.length);
    for (const [i, { '_ws.col.Info': info, ...row }] of decoded.entries()) {
      const length = lengths[i];
      const expected = {
        'cmirror.direction': [length < directionAt ? 'unknown' : 'ingress'],
        ...(length < kindAt ? {} : { 'cmirror.kind': [kind] }),
        ...(length < sourceAt ? {} : { 'cmirror.src_vn': [TRAFFIC] }),
        'cmirror.cut': ['1'],
      };
      t.deepEqual(row, expected, `${kind} ${length}`);
      const frame = length - metadata.length;
      const shown = frame < 14 ? /cut by the capture$/ : frame < inner.length - 56 ? /^\[traffic-net/ : /Echo \(ping\)/;
      t.regex(info[0], shown, `${kind} ${length}`);
    }
  }
});

test('the dissector goes where it is told to, or it is said why not', async (t) => {
  const lab = await Lab.create(t);
  const directory = join(lab.directory, 'made', 'for it');
  const install = (to: string): ReturnType<typeof attempt> =>
    attempt([VROUTER, 'analyzer', '--install-dissector', '--directory', to]);
  t.is((await install(directory)).code, 0);
  await t.notThrowsAsync(access(join(directory, 'cmirror.lua')));
  const { code, stderr } = await install(join(directory, 'cmirror.lua'));
  t.is(code, 1);
  t.regex(stderr, /the dissector is not installed: .*EEXIST/);
});
