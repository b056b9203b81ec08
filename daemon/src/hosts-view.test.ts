import test from 'ava';
import { hostsDump, type HostsParts } from './hosts-view.js';
import type { RemoteEnd } from './agent/remote-tunnels.js';
import { RefusedError } from './control/refused.js';
import { clusterHosts } from './testing/dumps.js';
import type { Encapsulation } from './wire/encapsulation.js';

function end(name: string, theirs: readonly Encapsulation[], encapsulation: Encapsulation | null): RemoteEnd {
  const lease = { name, tunnelAddress: '192.0.2.9', encapsulations: theirs, version: '', incarnation: '' };
  return { lease, peer: 0, encapsulation };
}

const cluster = clusterHosts().filter(({ state }) => state !== 'configured');
const parts: HostsParts = {
  hosts: {
    hosts: (name) => {
      const found = cluster.filter((host) => name === undefined || host.name === name);
      return found.length > 0 ? Promise.resolve(found) : Promise.reject(new RefusedError('notFound', 'none'));
    },
  },
  remote: {
    ends: () =>
      [
        end('beta', ['MPLSoGRE', 'VXLAN'], 'VXLAN'),
        end('TunnelEndpoint/vtep10', ['MPLSoGRE'], null),
        end('TunnelEndpoint/vtep9', ['VXLAN'], 'VXLAN'),
      ].values(),
    routesOf: (name) => name.length,
  },
};

test('hosts are shown with what packets to them are wrapped in, and tunnel endpoints behind them', async (t) => {
  const dumps = await hostsDump(parts);
  t.deepEqual(
    dumps.map(({ name, state, encapsulation }) => [name, state, encapsulation]),
    [
      ['alpha', 'alive', null],
      ['beta', 'keepaliveAnswered', 'VXLAN'],
      ['TunnelEndpoint/vtep9', 'configured', 'VXLAN'],
      ['TunnelEndpoint/vtep10', 'configured', null],
    ],
  );
  t.like(dumps[2], { tunnelAddress: '192.0.2.9', encapsulations: ['VXLAN'], routes: 20, version: null, leaseMs: null });
});

test('one host or one endpoint can be asked for; what is neither is refused', async (t) => {
  t.deepEqual(
    (await hostsDump(parts, 'beta')).map(({ name }) => name),
    ['beta'],
  );
  t.deepEqual(
    (await hostsDump(parts, 'TunnelEndpoint/vtep9')).map(({ name }) => name),
    ['TunnelEndpoint/vtep9'],
  );
  await t.throwsAsync(hostsDump(parts, 'gamma'), { instanceOf: RefusedError });
});
