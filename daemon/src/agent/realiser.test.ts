import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseDocument } from '../control/schema.js';
import type { StoredObject } from '../control/store.js';
import { groupObject, policyObject } from '../testing/objects.js';
import { ID_RANGES } from '../testing/plans.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { BridgeTable } from '../tables/bridge.js';
import type { TableChange } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { Ids } from './ids.js';
import type { OpenPort, PortSpec } from './ports.js';
import { Realiser } from './realiser.js';
import { Reconciler } from './reconcile.js';

const NETWORK = 'default-domain:default-project:blue';
const nameOf = (vmi: string): string => `default-domain:default-project:${vmi}`;

function network(spec: object = {}): StoredObject {
  const subnets = [{ prefix: '5.5.5.0/24' }];
  const parsed = parseDocument({
    apiVersion: 'vrouter/v1',
    kind: 'VirtualNetwork',
    metadata: { name: 'blue' },
    spec: { subnets, ...spec },
  });
  return { ...parsed, name: NETWORK, revision: 1, uuid: 'n', status: { networkId: 1 } } as unknown as StoredObject;
}

function vmi(name: string, number: number, spec: object = {}): StoredObject {
  const parsed = parseDocument({
    apiVersion: 'vrouter/v1',
    kind: 'VirtualMachineInterface',
    metadata: { name },
    spec: { virtualNetwork: 'blue', host: 'here', attach: { type: 'netns', netns: name }, ...spec },
  });
  const status = { device: `tap${name}`, mac: `02:00:00:00:00:0${number}`, addresses: [`5.5.5.${number}`] };
  return { ...parsed, name: nameOf(name), revision: 1, uuid: name, status } as unknown as StoredObject;
}

const QUIET = { info: () => undefined, warn: () => undefined };

/** A realiser on ports that are only noted down. What `broken` says of a device happens instead. */
function setUp(t: ExecutionContext) {
  const events: string[] = [];
  const sent: TableChange[] = [];
  const broken = new Map<string, 'ensure' | 'open'>();
  const faults = { ensure: false, remove: false };
  const displaced: string[] = [];
  const nameByVif = new Map<number, string>();
  const others: string[] = [];
  const published: string[] = [];
  const ids = new Ids(join(temporaryFolder(t), 'ids'), { ...ID_RANGES, vif: { first: 3, end: 6 } });
  const realiser: Realiser = new Realiser({
    host: 'here',
    plan: { networkMtu: 1450, mac: '0c:c4:7a:59:62:5c' },
    ids,
    reconciler: new Reconciler(new Tables(null, new BridgeTable(64, 16)), (changes) => sent.push(...changes)),
    fabric: { prefixes: () => [], connect: () => undefined },
    remote: { isElsewhere: () => false, prepare: () => undefined, present: () => undefined },
    mirrors: { present: () => undefined },
    hosts: {
      publish: (routes) => {
        published.splice(0, published.length, ...routes.keys());
      },
    },
    forget: () => undefined,
    ports: {
      ensure: (specs: readonly PortSpec[]) => {
        if (faults.ensure) return Promise.reject(new Error('no ip command'));
        events.push(`ensure ${specs.map(({ device }) => device).join(' ')}`);
        for (const { vifId, device } of specs) nameByVif.set(vifId, device);
        const portOf = ({ vifId, device }: PortSpec): OpenPort | Error =>
          broken.get(device) === 'ensure'
            ? new Error('namespace is missing')
            : { kind: 'packet', ifindex: 100 + vifId, vnetHeader: true };
        return Promise.resolve(new Map(specs.map((spec) => [spec.vifId, portOf(spec)])));
      },
      removeOthers: (known) => {
        others.push(...known);
        return Promise.resolve([]);
      },
      remove: (ports) => {
        if (faults.remove) return Promise.reject(new Error('no ip command'));
        events.push(`remove ${ports.map(({ device }) => device).join(' ')}`);
        return Promise.resolve();
      },
      displaced: () => displaced,
    },
    datapath: {
      open: (vif) => {
        const device = nameByVif.get(vif) ?? '';
        if (broken.get(device) === 'open') throw new Error('ENODEV');
        return () => events.push(`attach ${device}`);
      },
      detach: (vif) => events.push(`detach ${nameByVif.get(vif) ?? ''}`),
      discard: () => undefined,
    },
    log: QUIET,
  });
  const set = (object: StoredObject): void => {
    realiser.onChange({ op: 'set', kind: object.kind, name: object.name, object });
  };
  return { realiser, ids, events, sent, others, published, broken, faults, displaced, set };
}

test('interfaces of this host get ports, and are active once traffic can flow', async (t) => {
  const { realiser, events, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  set(vmi('far', 4, { host: 'elsewhere' }));
  t.is(realiser.stateOf(nameOf('a'))?.state, 'waiting');
  await realiser.settled();
  t.deepEqual(events, ['ensure tapa', 'attach tapa']);
  t.deepEqual(realiser.stateOf(nameOf('a')), { vif: 3, state: 'active', reason: '' });
  t.is(realiser.stateOf(nameOf('far')), undefined);
});

test('other hosts are told of interfaces that have their port, and of the network they are in', async (t) => {
  const { realiser, broken, published, set } = setUp(t);
  broken.set('tapb', 'ensure');
  set(network());
  set(vmi('a', 3));
  set(vmi('b', 4));
  await realiser.settled();
  const blue = nameOf('blue');
  t.deepEqual(published, [`flood ${blue}`, `mac ${blue} 02:00:00:00:00:03`, `inet ${blue} 5.5.5.3/32`]);
});

test('before anything else, the devices of interfaces that are gone are removed', async (t) => {
  const { realiser, others, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  set(vmi('far', 4, { host: 'elsewhere' }));
  await realiser.settled();
  t.deepEqual(others, ['tapa']);
});

test('a port that cannot be opened keeps no other from its traffic', async (t) => {
  const { realiser, events, broken, set } = setUp(t);
  broken.set('tapa', 'open');
  set(network());
  set(vmi('a', 3));
  set(vmi('b', 4));
  await realiser.settled();
  t.true(events.includes('attach tapb'));
  t.is(realiser.stateOf(nameOf('a'))?.reason, 'ENODEV');
  broken.clear();
  realiser.audit();
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('a'))?.state, 'active');
});

test('a run that fails as a whole is tried again', async (t) => {
  const { realiser, faults, set } = setUp(t);
  faults.ensure = true;
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('a'))?.state, 'waiting');
  faults.ensure = false;
  realiser.audit();
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('a'))?.state, 'active');
});

test('a device that could not be removed is removed later, and keeps no other waiting', async (t) => {
  const { realiser, events, faults, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  faults.remove = true;
  realiser.onChange({ op: 'delete', kind: 'VirtualMachineInterface', name: nameOf('a') });
  await realiser.settled();
  t.false(events.includes('remove tapa'));
  set(vmi('b', 4));
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('b'))?.state, 'active');
  faults.remove = false;
  realiser.audit();
  await realiser.settled();
  t.true(events.includes('remove tapa'));
});

test('a port that is wanted again is not removed behind its back', async (t) => {
  const { realiser, events, faults, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  faults.remove = true;
  realiser.onChange({ op: 'delete', kind: 'VirtualMachineInterface', name: nameOf('a') });
  await realiser.settled();
  set(vmi('a', 3));
  await realiser.settled();
  faults.remove = false;
  realiser.audit();
  await realiser.settled();
  t.false(events.includes('remove tapa'));
  t.is(realiser.stateOf(nameOf('a'))?.state, 'active');
});

test('a port whose namespace was deleted is let go of, and is back as soon as it can be', async (t) => {
  const { realiser, events, broken, displaced, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  events.length = 0;
  broken.set('tapa', 'ensure');
  displaced.push('tapa');
  realiser.retry();
  t.is(realiser.stateOf(nameOf('a'))?.reason, 'its namespace was deleted');
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('a'))?.reason, 'namespace is missing');
  broken.clear();
  displaced.length = 0;
  realiser.retry();
  await realiser.settled();
  t.deepEqual(events, ['detach tapa', 'ensure tapa', 'ensure tapa', 'attach tapa']);
});

test('a change of the network leaves the traffic of its ports alone', async (t) => {
  const { realiser, events, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  events.length = 0;
  set(network({ mtu: 1400 }));
  await realiser.settled();
  t.deepEqual(events, ['ensure tapa']);
});

test('a policy or group that changes reaches the tables, and touches no port', async (t) => {
  const { realiser, events, sent, set } = setUp(t);
  set(policyObject('p', { protocol: 'tcp' }));
  set(groupObject('g'));
  set(network({ policies: ['p'] }));
  set(vmi('a', 3, { securityGroups: ['g'] }));
  await realiser.settled();
  const count = events.length;
  sent.length = 0;
  set(policyObject('p', { protocol: 'udp' }));
  await realiser.settled();
  set(groupObject('g', { egress: [] }));
  await realiser.settled();
  t.deepEqual(
    sent.map((change) => (change.table === 'acl' && change.op === 'set' ? change.record.name : change.table)),
    [NETWORK, `${nameOf('g')} egress`],
  );
  t.is(events.length, count);
});

test('a port that moves to another namespace is ended first and begun anew', async (t) => {
  const { realiser, events, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  events.length = 0;
  set(vmi('a', 3, { attach: { type: 'netns', netns: 'other' } }));
  await realiser.settled();
  t.deepEqual(events, ['detach tapa', 'remove tapa', 'ensure tapa', 'attach tapa']);
});

test('a port that is lost again and again is tried once, then left to the audit', async (t) => {
  const { realiser, events, set } = setUp(t);
  set(network());
  set(vmi('a', 3));
  await realiser.settled();
  for (let i = 0; i < 5; i++) {
    realiser.portLost(3, 'its device was deleted');
    await realiser.settled();
  }
  t.is(events.filter((event) => event === 'ensure tapa').length, 2);
  t.deepEqual(realiser.stateOf(nameOf('a')), { vif: 3, state: 'failed', reason: 'its device was deleted' });
  realiser.audit();
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('a'))?.state, 'active');
});

test('more interfaces than there are numbers fail with a reason, and get theirs when others go', async (t) => {
  const { realiser, set } = setUp(t);
  set(network());
  for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) set(vmi(name, i + 3));
  await realiser.settled();
  t.regex(realiser.stateOf(nameOf('d'))?.reason ?? '', /all 3 vif numbers of this host are in use/);
  realiser.onChange({ op: 'delete', kind: 'VirtualMachineInterface', name: nameOf('a') });
  await realiser.settled();
  realiser.audit();
  await realiser.settled();
  t.is(realiser.stateOf(nameOf('d'))?.state, 'active');
});

test('mirrors that replace others when every index is in use get theirs without another change', async (t) => {
  const { realiser, ids, set } = setUp(t);
  const mirrors = (first: number): object[] =>
    Array.from({ length: 85 }, (_, i) => ({ analyzerName: `a${first + i}`, analyzerIp: '7.7.7.3' }));
  set(network());
  for (const [i, name] of ['a', 'b', 'c'].entries()) set(vmi(name, 3 + i, { mirrors: mirrors(85 * i) }));
  await realiser.settled();
  t.is(ids.keys('mirror').length, 255);
  set(vmi('c', 5, { mirrors: mirrors(255) }));
  await realiser.settled();
  t.is(ids.keys('mirror').length, 255);
  t.true(ids.keys('mirror').includes('a339'));
});
