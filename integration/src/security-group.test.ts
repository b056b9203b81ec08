/**
 *   ┌ a ───────────┐  ┌ b ───────────┐  ┌ c ───────────┐
 *   │ eth0 5.5.5.3 │  │ eth0 5.5.5.4 │  │ eth0 5.5.5.5 │     network blue, 5.5.5.0/24
 *   └──────┬───────┘  └──────┬───────┘  └──────┬───────┘
 *      client             server            nobody
 */
import test, { type ExecutionContext } from 'ava';
import type { DropstatsDump } from '../../daemon/src/control/dumps.js';
import type { Daemon } from './lab/daemon.js';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import { sleep } from './lab/process.js';
import { type Document, network } from './lab/topology.js';
import { connects, flows, group, guestPort, serve } from './lab/two-networks.js';

interface Guests {
  readonly daemon: Daemon;
  readonly a: Namespace;
  readonly b: Namespace;
  readonly c: Namespace;
}

const CLIENT = group('client', { ingress: [] });
const server = (...ingress: Document[]): Document => group('server', { ingress, egress: [] });
const WEB = { protocol: 'tcp', ports: [80] };

/** Three guests; the first is in group `client`, the second in group `server`, the third in none. */
async function threeGuests(t: ExecutionContext, ...groups: Document[]): Promise<Guests> {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const [a, b, c] = [await lab.namespace('a'), await lab.namespace('b'), await lab.namespace('c')];
  await daemon.apply(
    network('blue'),
    ...groups,
    guestPort('a', 'blue', a, { securityGroups: ['client'], addresses: ['5.5.5.3'] }),
    guestPort('b', 'blue', b, { securityGroups: ['server'], addresses: ['5.5.5.4'] }),
    guestPort('c', 'blue', c, { addresses: ['5.5.5.5'] }),
  );
  return { daemon, a, b, c };
}

test('who may begin is decided by the groups of both ends, and the answers come back', async (t) => {
  const { daemon, a, b, c } = await threeGuests(t, CLIENT, server({ ...WEB, remoteGroup: 'client' }));
  for (const guest of [a, b, c]) await serve(guest, 80);
  await serve(b, 81);
  t.true(await connects(a, '5.5.5.4', 80));
  t.false(await connects(a, '5.5.5.4', 81), 'a port the server does not offer');
  t.false(await connects(b, '5.5.5.3', 80), 'the server may send nothing, the client receive nothing');
  t.false(await connects(c, '5.5.5.3', 80), 'the client may receive nothing');
  t.true(await connects(a, '5.5.5.5', 80), 'who is in no group may be sent to');
  t.false(await connects(c, '5.5.5.4', 80), 'who is not in the remote group');
  t.true((await daemon.dump<DropstatsDump>('dropstats'))['Flow Action Drop'] > 0);
  const decided = await flows(daemon);
  for (const refused of ['5.5.5.3 > 5.5.5.4 OutSG', '5.5.5.4 > 5.5.5.3 SG', '5.5.5.5 > 5.5.5.4 OutSG'])
    t.true(decided.includes(refused), refused);
});

test('a change of a group, of a prefix or of the members works on the sessions there are', async (t) => {
  const echo = { protocol: 'icmp', icmpType: 8 };
  const { daemon, c } = await threeGuests(t, CLIENT, server(echo));
  const ping = c.spawn(['ping', '-n', '-i', '0.1', '5.5.5.4']);
  const goesOn = async (): Promise<boolean> => {
    const from = ping.output.length;
    await sleep(1000);
    return ping.output.slice(from).includes(' bytes from ');
  };
  await ping.waitFor(/icmp_seq=5 /);
  await daemon.apply(server({ ...echo, remotePrefix: '5.5.5.0/30' }));
  t.false(await goesOn());
  await daemon.apply(server({ ...echo, remotePrefix: '5.5.5.4/30' }));
  t.true(await goesOn());
  await daemon.apply(server({ ...echo, remoteGroup: 'client' }));
  t.false(await goesOn());
  await daemon.apply(guestPort('c', 'blue', c, { securityGroups: ['client'], addresses: ['5.5.5.5'] }));
  t.true(await goesOn());
});

test('without rules of its own a group lets its members talk to each other, and nobody else in', async (t) => {
  const { daemon, a, b, c } = await threeGuests(t, group('client'), group('server'));
  t.false(await a.answers('5.5.5.4'));
  t.false(await c.answers('5.5.5.4'));
  await daemon.apply(guestPort('a', 'blue', a, { securityGroups: ['server'], addresses: ['5.5.5.3'] }));
  await a.ping('5.5.5.4');
  await b.ping('5.5.5.3');
  await b.ping('5.5.5.5');
});

test('without port security the groups of an interface do nothing, and status says so', async (t) => {
  const { daemon, b, c } = await threeGuests(t, CLIENT, server());
  t.false(await c.answers('5.5.5.4'));
  await daemon.apply(
    guestPort('b', 'blue', b, { securityGroups: ['server'], addresses: ['5.5.5.4'], portSecurity: false }),
  );
  await c.ping('5.5.5.4');
  t.regex(
    await daemon.run('vrouter', 'status'),
    /VirtualMachineInterface\/b: without portSecurity SecurityGroup\/server does nothing; /,
  );
});
