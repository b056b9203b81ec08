/**
 *   ┌ mad, victim ─┐   ┌ host ─────────────────┐   ┌ calm, friend ┐
 *   │ SYN flood    ├───┤ vrouterd, flow table  ├───┤ TCP          │
 *   └──────────────┘   │ of 4,096 entries      │   └──────────────┘
 *                      └───────────────────────┘
 * The long form, with two million sessions and throughput, is `scripts/bench --flows --only flood`.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { StatusDump } from '../../daemon/src/control/dumps.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import type { SynOrder } from './lab/syn-gun.js';
import { inside, network, port, portOf } from './lab/topology.js';

const SYN_GUN = fileURLToPath(new URL('lab/syn-gun.js', import.meta.url));
const SESSIONS = 60_000;
/** Default share of a table of 4,096: a quarter. */
const SHARE = 1024;
const CONNECTIONS = 30;
const SERVE = `require('node:net').createServer((s) => s.pipe(s)).listen(7, () => console.log('ready'));`;
/** Opens connections one after the other, each for a word and its echo; prints how many worked. */
const CONNECT = `
  const { connect } = require('node:net');
  let worked = 0;
  const next = (left) => {
    if (left === 0) return console.log(worked);
    const socket = connect(7, process.argv[1], () => socket.write('hello'));
    socket.setTimeout(5000, () => socket.destroy());
    socket.on('data', () => { worked++; socket.end(); }).on('error', () => {}).on('close', () => next(left - 1));
  };
  next(${CONNECTIONS});`;

async function ownMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

test('a guest that begins sessions without end gets its share, and others open new ones meanwhile', async (t) => {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon({ config: 'datapath: { flowEntries: 4096 }' });
  const guests: Record<string, Namespace> = {};
  const addresses = { mad: '5.5.5.3', victim: '5.5.5.4', calm: '5.5.5.5', friend: '5.5.5.6' };
  for (const name of Object.keys(addresses)) guests[name] = await lab.namespace(name);
  const how = { port: 'tap', configure: true };
  await daemon.apply(
    network('blue'),
    ...Object.entries(addresses).map(([name, ip]) =>
      port(name, 'blue', inside(guests[name], how), { addresses: [ip] }),
    ),
  );
  for (const guest of Object.values(guests)) await guest.waitForLink();
  const { mad, victim, calm, friend } = guests;
  await mad.ping(addresses.victim, 1);
  // A victim that answered with resets would end each session at once.
  await victim.run([
    '/usr/sbin/nft',
    'table netdev silent { chain in { type filter hook ingress device eth0 priority 0; tcp flags syn drop; }; }',
  ]);
  const server = friend.spawn([process.execPath, '-e', SERVE]);
  await server.waitFor(/ready/);

  const flood = async (count: number): Promise<number> => {
    const [mac, toMac] = [await mad.mac(), await victim.mac()];
    const order: SynOrder = { count, mac, address: addresses.mad, toMac, to: addresses.victim };
    return Number(await mad.run([process.execPath, SYN_GUN, JSON.stringify(order)], { timeoutMs: 60_000 }));
  };
  // Whatever grows at first has grown then.
  await flood(SESSIONS / 10);
  const memory = await ownMemory(daemon.pid);
  const before = (await daemon.dump<StatusDump>('vrouter', 'status')).flows;

  const flooding = flood(SESSIONS);
  const worked = Number(await calm.run([process.execPath, '-e', CONNECT, addresses.friend], { timeoutMs: 60_000 }));
  const sent = await flooding;
  t.is(worked, CONNECTIONS);
  const after = (await daemon.dump<StatusDump>('vrouter', 'status')).flows;
  const { vif } = await portOf(daemon, 'mad');
  t.deepEqual(vif.flows, { entries: SHARE, most: SHARE });
  t.is(after.tableFull, before.tableFull);
  // What its interface lost for want of CPU time never came so far.
  const refused = after.limited - before.limited;
  t.true(refused > sent / 2 && refused <= sent, `${refused} of ${sent} refused`);
  t.true(vif.drops >= after.limited, `${vif.drops} drops`);
  const grown = (await ownMemory(daemon.pid)) - memory;
  t.true(grown < 30, `grown by ${grown} MB`);
});
