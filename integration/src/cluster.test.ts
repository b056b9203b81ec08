import test from 'ava';
import { Cluster } from './lab/cluster.js';
import { network, portOf } from './lab/topology.js';

test('what is applied at one host is realised at the host it names, and is gone at both when deleted', async (t) => {
  const cluster = await Cluster.create(t);
  const [h1, h2] = cluster.hosts;
  await h1.namespace.ping(h2.address, 1);
  const a = await cluster.guest(1, 'a', 'blue', ['5.5.5.3']);
  const b = await cluster.guest(2, 'b', 'blue', ['5.5.5.4']);
  await cluster.apply(network('blue'), a.port, b.port);
  t.deepEqual((await portOf(h2.daemon, 'b')).addresses, ['5.5.5.4']);
  await b.namespace.ping('5.5.5.1', 1);
  await t.throwsAsync(portOf(h1.daemon, 'b'), { message: /no interface of the vRouter/ });

  await h2.daemon.run('vrouter', 'delete VirtualMachineInterface b');
  await cluster.realised();
  t.deepEqual(await h1.daemon.run('vrouter', 'get VirtualMachineInterface b').catch(() => 'gone'), 'gone');
});
