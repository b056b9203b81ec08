import test from 'ava';
import { until } from './lab/process.js';
import { network, twoGuests } from './lab/topology.js';
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

for (const forwardingMode of ['l2_l3', 'l3']) {
  test(`guests of an ${forwardingMode} network with IPv6 have the link-local address of their MAC, and no other`, async (t) => {
    const subnets = [{ prefix: '5.5.5.0/24' }, { prefix: 'fd00:5::/64' }];
    const { a, b } = await twoGuests(t, { subnets, forwardingMode });
    for (const guest of [a, b]) {
      await until('no address is tentative', async () =>
        (await guest.run('ip -6 address show dev eth0 tentative')) === '' ? true : undefined,
      );
    }
    const own = /inet6 (fe80\S+)\//.exec(await b.run('ip -6 address show dev eth0'))?.[1] ?? '';
    await a.ping(`${own}%eth0`);
    await a.ping('fe80::200:5eff:fe00:100%eth0');
    await a.run('ip -6 address add fe80::99/64 dev eth0 nodad');
    t.not((await a.attempt(`ping -n -c 1 -W 1 -I fe80::99%eth0 ${own}%eth0`)).code, 0);
  });
}

test('with rpf disabled a source is not checked by its route', async (t) => {
  const { daemon, a } = await twoGuests(t, { rpf: 'disable' });
  await a.run(`ip address add ${STRANGE}/24 dev eth0`);
  await a.ping('5.5.5.4', 2, `-I ${STRANGE}`);
  await daemon.apply(network('blue'));
  t.not((await a.attempt(`ping -n -c 2 -i 0.2 -W 1 -I ${STRANGE} 5.5.5.4`)).code, 0);
});
