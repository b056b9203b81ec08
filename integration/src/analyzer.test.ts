import anyTest, { type TestFn } from 'ava';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';
import { pcapFile } from './lab/pcap-file.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import type { Background } from './lab/process.js';

/*
 *   sender                             analyzer
 *   192.0.2.1, 2001:db8::1  veth0 ---- eth0   192.0.2.9, 2001:db8::9   (vrouter analyzer listens at UDP 8099 and 8888)
 *                           veth1 ---- eth1   without address          (vrouter analyzer -i eth1)
 */
const test = anyTest as TestFn<{ lab: Lab; sender: Namespace; analyzer: Namespace }>;

const VROUTER = fileURLToPath(new URL('../../daemon/bin/vrouter.js', import.meta.url));
const SENDER = join(fileURLToPath(new URL('.', import.meta.url)), 'lab', 'send-datagrams.js');

const PING = eth({ src: '02:f8:65:91:36:11', dst: '02:aa:bb:cc:dd:ee' })
  .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
  .ping({ ident: 1, seq: 1 })
  .payload(new Uint8Array(56))
  .bytes();
const UNREACHABLE = eth({ src: '02:00:5e:00:00:01', dst: '02:f8:65:91:36:11' })
  .ipv4({ src: '7.7.7.3', dst: '4.4.4.3' })
  .icmp({ type: 3, code: 3 })
  .payload(new Uint8Array(160))
  .bytes();
const LARGE = eth({ src: '02:f8:65:91:36:11', dst: '02:aa:bb:cc:dd:ee' })
  .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
  .udp(1000, 2000)
  .payload(Array.from({ length: 8958 }, (_, i) => i & 0xff))
  .bytes();

const tlv = (type: number, value: string | readonly number[]): number[] => {
  const bytes = typeof value === 'string' ? [...Buffer.from(value)] : value;
  return [type, bytes.length, ...bytes];
};
const END = [0xff, 0];
const TRAFFIC = 'default-domain:tim:traffic-net';
const LEFT = 'default-domain:admin:left-net';
const RIGHT = 'default-domain:admin:rnet';

/** Copies as vRouters send them: of both directions of a port, of a flow, one with long names, one of 9000 bytes. */
const COPIES = [
  [...tlv(3, TRAFFIC), ...END, ...PING],
  [...tlv(4, TRAFFIC), ...END, ...UNREACHABLE],
  [...tlv(1, [192, 0, 2, 7]), ...tlv(2, [0x40, 0, 0, 0xa0]), ...tlv(3, LEFT), ...tlv(4, RIGHT), ...END, ...PING],
  [...tlv(3, `default-domain:tim:${'n'.repeat(120)}`), ...END, ...PING],
  [...tlv(3, 'a:b:c'), ...END, ...LARGE],
];
/** What a vRouter does not send: no end, no metadata, too short a frame, an unknown type. */
const MALFORMED = [
  [...tlv(3, TRAFFIC).slice(0, 9)],
  [],
  [...END, ...PING.slice(0, 13)],
  [...tlv(9, [1]), ...END, ...PING],
];

const FIELDS = ['frame.len', 'frame.interface_name', 'frame.packet_flags_direction', 'frame.comment'];
const ROWS = [
  ['98', `${TRAFFIC}@192.0.2.1`, '0x00000001', `dir=ingress;host=192.0.2.1;src_vn=${TRAFFIC}`, '4.4.4.3'],
  ['202', `${TRAFFIC}@192.0.2.1`, '0x00000002', `dir=egress;host=192.0.2.1;dst_vn=${TRAFFIC}`, '7.7.7.3'],
  [
    '98',
    `${LEFT}@192.0.2.7`,
    '0x00000001',
    `dir=ingress;host=192.0.2.7;action=pass,mirror;flags=0x400000a0;src_vn=${LEFT};dst_vn=${RIGHT}`,
    '4.4.4.3',
  ],
  [
    '98',
    `default-domain:tim:${'n'.repeat(120)}@192.0.2.1`,
    '0x00000001',
    `dir=ingress;host=192.0.2.1;src_vn=default-domain:tim:${'n'.repeat(120)}`,
    '4.4.4.3',
  ],
  ['9000', 'a:b:c@192.0.2.1', '0x00000001', 'dir=ingress;host=192.0.2.1;src_vn=a:b:c', '4.4.4.3'],
];

test.before(async (t) => {
  const lab = await Lab.open();
  const [sender, analyzer] = [await lab.namespace('sender'), await lab.namespace('analyzer')];
  for (const n of [0, 1]) {
    await sender.run(`ip link add veth${n} type veth peer name eth${n} netns ${analyzer.name}`);
    await sender.run(`ip link set veth${n} up`);
    await analyzer.run(`ip link set eth${n} up`);
  }
  for (const [where, device, last] of [
    [sender, 'veth0', 1],
    [analyzer, 'eth0', 9],
  ] as const) {
    await where.run('ip link set lo up');
    await where.run(`ip address add 192.0.2.${last}/24 dev ${device}`);
    await where.run(`ip address add 2001:db8::${last}/64 dev ${device} nodad`);
  }
  // Copies sent there are for an address that nobody answers for.
  await sender.run('ip address add 198.51.100.1/24 dev veth1');
  await sender.run('ip neighbour add 198.51.100.9 lladdr 02:00:00:00:00:09 dev veth1');
  t.context = { lab, sender, analyzer };
});

test.after.always(async (t) => {
  await t.context.lab.close();
});

/** What stock tshark says of a file, a row for each frame. */
async function decoded(
  where: Namespace,
  file: string,
  fields: readonly string[] = [...FIELDS, 'ip.src'],
): Promise<string[][]> {
  const text = await where.run([
    'tshark',
    '-n',
    '-r',
    file,
    '-T',
    'fields',
    ...fields.flatMap((field) => ['-e', field]),
  ]);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

const send = (from: Namespace, target: string, payloads: readonly (readonly number[])[]): Promise<string> =>
  from.run([process.execPath, SENDER, target, ...payloads.map((bytes) => Buffer.from(bytes).toString('hex'))], {
    timeoutMs: 60_000,
  });

function start(where: Namespace, args: readonly string[]): Background {
  return where.spawn([process.execPath, VROUTER, 'analyzer', ...args]);
}

test('copies that come to UDP ports are written so that tshark shows networks, directions and frames', async (t) => {
  const { lab, sender, analyzer } = t.context;
  const file = join(lab.directory, 'udp.pcapng');
  const errors = await sender.capture('veth0', 'icmp or (icmp6 and ip6[40] == 1)');
  const running = start(analyzer, ['-p', '8099', '-p', '8888', '-w', file, '--text']);
  await running.waitFor(/listening at UDP \[::\]:8888/, 30_000);
  await send(sender, '192.0.2.9:8888', [...COPIES, ...MALFORMED]);
  await send(sender, '[2001:db8::9]:8099', COPIES.slice(0, 1));
  await running.waitFor(/2001:db8::1: ICMP 4.4.4.3/, 30_000);
  // A copy made while it is written can be read.
  t.is((await decoded(sender, file)).length, COPIES.length + 1);
  await running.stop('SIGINT');
  t.deepEqual(await decoded(sender, file), [
    ...ROWS,
    ['98', `${TRAFFIC}@2001:db8::1`, '0x00000001', `dir=ingress;host=2001:db8::1;src_vn=${TRAFFIC}`, '4.4.4.3'],
  ]);
  t.regex(running.output, /-> traffic-net 192\.0\.2\.1: ICMP 4\.4\.4\.3 > 4\.4\.4\.4 echo request, length 98/);
  t.regex(running.output, /0\.0\.0\.0:8888: 1 malformed: metadata without end/);
  t.regex(running.output, /0\.0\.0\.0:8888: 1 malformed: metadata of an unknown type/);
  t.deepEqual(await errors.stop(), [], 'the analyzer host answers with errors');
});

test('copies are sniffed at an interface without address, fragments put together, and no error leaves the host', async (t) => {
  const { lab, sender, analyzer } = t.context;
  const file = join(lab.directory, 'sniffed.pcapng');
  const errors = await sender.capture('veth0', 'icmp');
  await send(sender, '192.0.2.9:8888', COPIES.slice(0, 1));
  const more = ['-p', '8888', '-w', file, '-c', String(COPIES.length + 1)];
  const running = start(analyzer, ['-i', 'eth1', '-i', 'eth0', '--suppress-icmp', ...more]);
  await running.waitFor(/sniffing at eth0/, 30_000);
  t.regex(await analyzer.run(['/usr/sbin/nft', 'list', 'ruleset']), /vrouter_analyzer_\d+/);
  await send(sender, '192.0.2.9:8888', COPIES.slice(0, 1));
  await send(sender, '198.51.100.9:8888', [...MALFORMED.slice(3), ...COPIES]);
  await running.ended;
  const rows = ROWS.map((row) => row.map((field) => field.replace('192.0.2.1', '198.51.100.1')));
  t.deepEqual(await decoded(sender, file), [ROWS[0], ...rows]);
  t.is((await errors.stop()).length, 1, 'only the answer to the copy that came before is sent');
  t.is(await analyzer.run(['/usr/sbin/nft', 'list', 'ruleset']), '');
});

test('captures of other programs are converted, and our own are read again', async (t) => {
  const { lab, sender } = t.context;
  const [plain, file, again] = ['plain.pcap', 'converted.pcapng', 'again.pcap'].map((name) =>
    join(lab.directory, name),
  );
  const packets = COPIES.slice(0, 4).map((copy) =>
    eth({ src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' })
      .vlan(7)
      .ipv4({ src: '192.0.2.1', dst: '192.0.2.9' })
      .udp(50000, 8888)
      .payload(copy)
      .bytes(),
  );
  await writeFile(plain, pcapFile(packets));
  const analyzer = (args: readonly string[]): Promise<string> =>
    sender.run([process.execPath, VROUTER, 'analyzer', ...args], { timeoutMs: 60_000 });
  await analyzer(['-r', plain, '-w', file]);
  t.deepEqual(await decoded(sender, file), ROWS.slice(0, 4));
  await analyzer([
    '-r',
    file,
    '-w',
    again,
    '--file-format',
    'pcap-us',
    '--vn',
    'traffic-net',
    '--filter',
    'icmp and src host 4.4.4.3',
  ]);
  t.deepEqual(await decoded(sender, again, ['frame.len', 'ip.src']), [['98', '4.4.4.3']]);
  const json = (await analyzer(['-r', file, '--json', '--direction', 'egress'])).trimEnd().split('\n');
  t.is(json.length, 1);
  t.like(JSON.parse(json[0]) as object, {
    direction: 'egress',
    network: TRAFFIC,
    length: 202,
    text: 'ICMP 7.7.7.3 > 4.4.4.3 unreachable (code 3)',
  });
});

test('what is sent is received or counted as dropped, each once', async (t) => {
  const { lab, sender, analyzer } = t.context;
  const file = join(lab.directory, 'flood.pcapng');
  // A buffer for a few dozen, so that some are lost.
  const running = start(analyzer, [
    '-p',
    '8099',
    '--listen',
    '192.0.2.9',
    '--buffer',
    '20k',
    '--statistics',
    '-w',
    file,
  ]);
  await running.waitFor(/listening at UDP/, 30_000);
  process.kill(running.child.pid ?? 0, 'SIGSTOP');
  const sent = 2000;
  await send(
    sender,
    '192.0.2.9:8099',
    Array.from({ length: sent }, () => COPIES[0].slice(0, 60)),
  );
  process.kill(running.child.pid ?? 0, 'SIGCONT');
  const [, received, dropped] = await running.waitFor(
    /received (\d+) \(.*frames [1-9].*dropped by kernel ([1-9]\d*)/,
    30_000,
  );
  t.is(Number(received) + Number(dropped), sent);
  const table = await analyzer.run('cat /proc/net/udp');
  const row = table.split('\n').find((line) => line.includes(':1FA3 '));
  t.is(row?.trim().split(/\s+/).at(-1), dropped);
  await running.stop('SIGINT');
  t.is((await decoded(sender, file, ['frame.len'])).length, Number(received));
});
