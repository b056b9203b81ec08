import test from 'ava';
import { MemoryStore } from '../testing/memory-store.js';
import { Operator } from './operator.js';

const SCOPE = 'default-domain:default-project';
const SELECTOR = 'core.juniper.net/analyzer-pod-selector';
const ANALYZER = 'core.juniper.net/analyzer-pod';
const MARK = 'core.juniper.net/analyzer-interface';

const document = (kind: string, name: string, spec: object, labels: object = {}) => ({
  apiVersion: 'vrouter/v1',
  kind,
  metadata: { name, labels },
  spec,
});
const NETWORK = document('VirtualNetwork', 'tap', { subnets: [{ prefix: '7.7.7.0/24' }] });
const port = (name: string, labels: object = {}, spec: object = {}) =>
  document('VirtualMachineInterface', name, { virtualNetwork: 'tap', ...spec }, labels);
const analyzer = (name: string, labels: object = {}) => port(name, { [ANALYZER]: 'ids', ...labels });
const IDS = document('MirrorDestination', 'ids', {}, { [SELECTOR]: 'ids' });
const policy = (spec: object) => document('FirewallPolicy', 'p', spec);

function setUp() {
  const store = new MemoryStore();
  const operator = new Operator({ store, host: 'h1', deviceProblem: () => undefined });
  const apply = async (...documents: unknown[]): Promise<string[]> =>
    (await operator.apply(documents, { dryRun: false, prune: false })).map(
      ({ kind, name, outcome }) => `${kind}/${name.replace(`${SCOPE}:`, '')} ${outcome}`,
    );
  const remove = async (...documents: unknown[]): Promise<string> =>
    operator.remove(documents).then(
      () => 'deleted',
      (error: unknown) => (error as Error).message,
    );
  const destination = () => {
    const status = store.get('MirrorDestination', `${SCOPE}:ids`)?.status;
    return [status?.state, status?.virtualMachineInterface?.replace(`${SCOPE}:`, '') ?? null, status?.address];
  };
  const firewall = () => store.get('FirewallPolicy', `${SCOPE}:p`)?.status;
  return { store, operator, apply, remove, destination, firewall };
}

test('of several interfaces with the label the first by name is the analyzer, and stays it until it is lost', async (t) => {
  const { apply, remove, destination, store } = setUp();
  await apply(NETWORK, IDS);
  t.deepEqual(destination(), ['Pending', null, null]);
  t.regex(
    store.get('MirrorDestination', `${SCOPE}:ids`)?.status.observation ?? '',
    /^no interface of project default-project has the label core\.juniper\.net\/analyzer-pod: ids$/,
  );
  t.deepEqual(await apply(analyzer('b')), ['VirtualMachineInterface/b created', 'MirrorDestination/ids changed']);
  t.deepEqual(destination(), ['Success', 'b', '7.7.7.3']);
  await apply(analyzer('a'));
  t.deepEqual(destination(), ['Success', 'b', '7.7.7.3'], 'another one changes nothing');
  t.is(store.get('MirrorDestination', `${SCOPE}:ids`)?.status.observation, 'one of 2 with the label');
  await apply(port('b'));
  t.deepEqual(destination(), ['Success', 'a', '7.7.7.4'], 'the label is gone');
  await apply(analyzer('b'));
  t.deepEqual(destination(), ['Success', 'a', '7.7.7.4'], 'and back');
  t.is(await remove(analyzer('a')), 'deleted');
  t.deepEqual(destination(), ['Success', 'b', '7.7.7.3']);
  await apply(analyzer('c', { [MARK]: 'true' }));
  t.deepEqual(destination(), ['Success', 'c', '7.7.7.4'], 'one that is marked as analyzer interface comes first');
});

test('a service instance tells the address of its left interface, and cannot lose what it needs', async (t) => {
  const { apply, remove, store } = setUp();
  const template = document('ServiceTemplate', 'sniffer', { type: 'analyzer' });
  const instance = document('ServiceInstance', 'dpi', { template: 'sniffer', interfaces: { left: 'a' } });
  const mirrored = document('NetworkPolicy', 'web', { rules: [{ mirror: { analyzerName: 'dpi' } }] });
  await apply(mirrored);
  await apply(NETWORK, port('a', {}, { addresses: ['7.7.7.9'] }), template, instance);
  t.is(store.get('ServiceInstance', `${SCOPE}:dpi`)?.status.address, '7.7.7.9');
  t.is(
    await remove(port('a')),
    'VirtualMachineInterface/a is still used by ServiceInstance/dpi; delete what uses it first',
  );
  t.is(
    await remove(template),
    'ServiceTemplate/sniffer is still used by ServiceInstance/dpi; delete what uses it first',
  );
  t.is(await remove(instance), 'ServiceInstance/dpi is still used by NetworkPolicy/web; delete what uses it first');
  t.is(await remove(mirrored, instance), 'deleted');
});

test('a policy whose destination does not exist is pending until it does; one that is named is not deleted', async (t) => {
  const { apply, remove, firewall } = setUp();
  await apply(NETWORK, policy({ rules: [{}], secondaryActions: { mirrorTo: 'ids' } }));
  t.deepEqual(firewall(), { state: 'Pending', observations: ['MirrorDestination/ids does not exist'] });
  t.deepEqual(await apply(IDS), ['MirrorDestination/ids created', 'FirewallPolicy/p changed']);
  t.is(firewall()?.state, 'Pending');
  await apply(analyzer('a'));
  t.deepEqual(firewall(), { state: 'Success', observations: [] });
  t.is(await remove(IDS), 'MirrorDestination/ids is still used by FirewallPolicy/p; delete what uses it first');
});

test('what a policy says of mirrors and does nothing is told', async (t) => {
  const { apply, firewall } = setUp();
  const actions = { secondaryActions: { mirrorTo: 'ids' } };
  await apply(NETWORK, IDS, analyzer('a'), policy({ rules: [{}, actions], ...actions }));
  t.deepEqual(firewall()?.observations, ['secondaryActions do nothing, as rules[1] has its own']);
  await apply(policy({ rules: [{ secondaryActions: { mirrorTo: ['ids', 'd:p:x', 'd:p:y'] } }] }));
  t.deepEqual(firewall(), {
    state: 'Pending',
    observations: [
      'MirrorDestination/d:p:x does not exist',
      'rules[0].secondaryActions: MirrorDestination/d:p:y is left out, 2 are possible',
    ],
  });
});
