import test from 'ava';
import { network } from './lab/topology.js';
import { twoGuests } from './lab/topology.js';
import { guestPort } from './lab/two-networks.js';

const STRANGE = '5.5.5.99';

test('a guest may use another address once port security is off, for the network or for itself', async (t) => {
  const { daemon, a } = await twoGuests(t);
  await a.run(`ip address add ${STRANGE}/24 dev eth0`);
  const answers = async (): Promise<boolean> =>
    (await a.attempt(`ping -n -c 2 -i 0.2 -W 1 -I ${STRANGE} 5.5.5.4`)).code === 0;
  t.false(await answers());
  await daemon.apply(network('blue', { portSecurity: false }));
  t.true(await answers());
  await daemon.apply(network('blue'));
  t.false(await answers());
  await daemon.apply(guestPort('a', 'blue', a, { portSecurity: false }));
  await a.attempt(`ip address add ${STRANGE}/24 dev eth0`);
  t.true(await answers());
});

test('with rpf disabled a source is not checked by its route', async (t) => {
  const { daemon, a } = await twoGuests(t, { rpf: 'disable' });
  await a.run(`ip address add ${STRANGE}/24 dev eth0`);
  await a.ping('5.5.5.4', 2, `-I ${STRANGE}`);
  await daemon.apply(network('blue'));
  t.not((await a.attempt(`ping -n -c 2 -i 0.2 -W 1 -I ${STRANGE} 5.5.5.4`)).code, 0);
});
