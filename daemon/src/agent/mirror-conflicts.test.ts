import test from 'ava';
import { MemoryStore } from '../testing/memory-store.js';
import { Operator } from './operator.js';

const NETWORK = { apiVersion: 'vrouter/v1', kind: 'VirtualNetwork', metadata: { name: 'blue' }, spec: {} };
const DPI = { analyzerName: 'DPI', analyzerIp: '7.7.7.3' };
const NIC = { analyzerName: 'nic', nicAssistedMirroring: true, nicAssistedVlan: 7 };

const port = (name: string, ...mirrors: readonly object[]): object => ({
  apiVersion: 'vrouter/v1',
  kind: 'VirtualMachineInterface',
  metadata: { name },
  spec: { virtualNetwork: 'blue', mirrors },
});

function setUp() {
  const operator = new Operator({ store: new MemoryStore(), host: 'here', deviceProblem: () => undefined });
  return async (...documents: readonly object[]): Promise<string> => {
    try {
      await operator.apply(documents, { dryRun: false, prune: false });
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };
}

test('an analyzer that two interfaces define in two ways is refused, both named and what differs', async (t) => {
  const apply = setUp();
  t.is(await apply(NETWORK, port('a', DPI), port('b', DPI)), 'accepted');
  t.is(
    await apply(port('b', { ...DPI, udpPort: 8888 })),
    'VirtualMachineInterface/b: spec.mirrors[0]: analyzer "DPI" is another one in spec.mirrors[0] of ' +
      'VirtualMachineInterface/a (udpPort 8099 there, 8888 here); make them equal in one apply, or give one another name',
  );
  const raw = { analyzerName: 'DPI', juniperHeader: false, analyzerMac: '02:00:00:00:00:09' };
  t.regex(
    await apply(port('c', { analyzerName: 'IDS', analyzerIp: '7.7.7.4' }, raw)),
    /c: spec\.mirrors\[1\]: analyzer "DPI"/,
  );
});

test('what a kind of mirror does not use may differ, as may the direction', async (t) => {
  const apply = setUp();
  const other = { ...DPI, routingInstance: 'blue', analyzerMac: '02:00:00:00:00:09', trafficDirection: 'ingress' };
  t.is(await apply(NETWORK, port('a', DPI), port('b', other)), 'accepted');
  const vxlan = { analyzerName: 'v', juniperHeader: false, nhMode: 'static' };
  const to = (vni: number): object => ({ ...vxlan, staticNhHeader: { vtepDstIp: '192.0.2.40', vni } });
  t.is(await apply(port('a', to(5)), port('b', { ...to(5), analyzerIp: '9.9.9.9' })), 'accepted');
  t.regex(await apply(port('b', to(6))), /staticNhHeader\.vni 5 there, 6 here/);
});

test('a shared analyzer is redefined and renamed in one apply', async (t) => {
  const apply = setUp();
  await apply(NETWORK, port('a', DPI), port('b', DPI));
  const changed = { ...DPI, udpPort: 8888 };
  t.is(await apply(port('a', changed), port('b', changed)), 'accepted');
  const renamed = { ...DPI, analyzerName: 'IDS' };
  t.is(await apply(port('a', renamed), port('b', renamed)), 'accepted');
  t.is(await apply(port('a', DPI), port('b')), 'accepted', 'nothing is left of the old definition');
});

test('a VLAN of the NIC is for one analyzer', async (t) => {
  const apply = setUp();
  t.is(await apply(NETWORK, port('a', NIC), port('b', NIC)), 'accepted');
  t.regex(
    await apply(port('c', { ...NIC, analyzerName: 'other' })),
    /c: spec\.mirrors\[0\]\.nicAssistedVlan: 7 is that of analyzer "nic" of VirtualMachineInterface\/a/,
  );
});

test('a service instance that makes two analyzers one is refused, and those who use them are named', async (t) => {
  const apply = setUp();
  const full = { analyzerName: 'default-domain:default-project:DPI', analyzerIp: '7.7.7.4', sample: 7 };
  const document = (kind: string, name: string, spec: object) => ({
    apiVersion: 'vrouter/v1',
    kind,
    metadata: { name },
    spec,
  });
  const template = document('ServiceTemplate', 'sniffer', {
    type: 'analyzer',
    mode: 'transparent',
    interfaces: ['left'],
  });
  const instance = document('ServiceInstance', 'DPI', { template: 'sniffer', interfaces: { left: 'left' } });
  t.is(await apply(NETWORK, template, port('left'), port('a', DPI), port('b', full)), 'accepted');
  t.is(
    await apply(instance),
    'ServiceInstance/DPI: metadata.name: makes the analyzers of spec.mirrors[0] of VirtualMachineInterface/a and of spec.mirrors[0] of ' +
      'VirtualMachineInterface/b one, which are different (sample 1 in the first, 7 in the second); ' +
      'make them equal first, or give the service instance another name',
  );
  t.is(await apply(instance, port('b', { ...full, sample: 1 })), 'accepted', 'the instance says where it is');
});
