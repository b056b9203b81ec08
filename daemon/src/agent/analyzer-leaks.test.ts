import test from 'ava';
import {
  byName,
  destinationObject,
  instanceObject,
  interfaceObject,
  networkObject,
  policyObject,
} from '../testing/objects.js';
import { AnalyzerLeaks } from './analyzer-leaks.js';
import { interfaceMirrors, resolveAnalyzer } from './analyzers.js';
import type { InterfaceObject, NetworkObject } from './plan.js';
import type { PolicyObject } from './policy.js';

const SCOPE = 'default-domain:default-project';
const scope = { domain: 'default-domain', project: 'default-project' };
const LEFT = interfaceObject('left', 9, '7.7.7.3', { virtualNetwork: 'tap' });
const MIRROR = policyObject('p', { mirror: { analyzerName: 'dpi' } });
const network = (name: string, number: number, spec: object = {}): NetworkObject =>
  networkObject(name, number, { subnets: [{ prefix: `${number}.0.0.0/24` }], ...spec });
const [BLUE, RED, TAP] = [network('blue', 4, { policies: ['p'] }), network('red', 5), network('tap', 7)];

const objectsOf = (
  networks: readonly NetworkObject[],
  interfaces: readonly InterfaceObject[] = [LEFT],
  policies: readonly PolicyObject[] = [MIRROR],
) => ({
  VirtualNetwork: byName(...networks),
  VirtualMachineInterface: byName(...interfaces),
  NetworkPolicy: byName(...policies),
  ServiceInstance: byName(instanceObject('dpi', 'left')),
  MirrorDestination: byName(destinationObject('ids', {}, `${SCOPE}:left`)),
});
const names = (networks: readonly { readonly name: string }[]): string[] =>
  networks.map(({ name }) => name.replace(`${SCOPE}:`, ''));

test('a network that carries a policy with a service instance, and that of its left interface, know each other', (t) => {
  const leaks = new AnalyzerLeaks(objectsOf([BLUE, RED, TAP]));
  t.deepEqual(
    [BLUE, RED, TAP].map((one) => names(leaks.partnersOf(one))),
    [['tap'], [], ['blue']],
  );
});

test('a network that filters nothing is kept apart from one it has routes of for copies alone', (t) => {
  const leaks = new AnalyzerLeaks(objectsOf([BLUE, RED, TAP]));
  t.deepEqual(names(leaks.strangersTo(TAP)), ['blue']);
  t.deepEqual(names(leaks.strangersTo(BLUE)), [], 'its own policies filter');
  t.like(leaks.copyRules(TAP), [
    { protocol: 17, source: { network: 4 }, destination: { prefix: '7.7.7.3/32' }, destinationPorts: [[8099, 8099]] },
  ]);
  const joined = { routeTargets: ['target:65500:1'] };
  const both = [network('blue', 4, { policies: ['p'], ...joined }), network('tap', 7, joined)];
  t.deepEqual(names(new AnalyzerLeaks(objectsOf(both)).strangersTo(both[1])), [], 'route targets connect them');
});

test('an interface mirrored to a service instance leaks as a policy does, with its own port; free text does not', (t) => {
  const own = (mirror: object): InterfaceObject =>
    interfaceObject('vnf', 1, '5.0.0.3', { virtualNetwork: 'red', mirrors: [mirror] });
  const leaks = (mirror: object): AnalyzerLeaks => new AnalyzerLeaks(objectsOf([RED, TAP], [LEFT, own(mirror)], []));
  const some = leaks({ analyzerName: 'dpi', udpPort: 8888 });
  t.deepEqual([names(some.partnersOf(RED)), names(some.strangersTo(RED))], [['tap'], ['tap']]);
  t.like(some.copyRules(TAP), [{ destinationPorts: [[8888, 8888]] }]);
  t.deepEqual(leaks({ analyzerName: 'DPI', analyzerIp: '7.7.7.3' }).partnersOf(RED), []);
  t.deepEqual(leaks({ destination: 'ids' }).partnersOf(RED), []);
});

test('a service instance and a destination are found by name, address, MAC and network', (t) => {
  const objects = objectsOf([TAP]);
  const raw = { analyzerName: 'dpi', juniperHeader: false };
  const vmi = interfaceObject('vnf', 1, '5.0.0.3', { virtualNetwork: 'red', mirrors: [raw, { destination: 'ids' }] });
  const [instance, destination] = interfaceMirrors(vmi, objects).map(({ to }) => to);
  t.like(instance, {
    analyzerName: `${SCOPE}:dpi`,
    analyzerIp: '7.7.7.3',
    analyzerMac: '02:00:00:00:00:09',
    routingInstance: `${SCOPE}:tap`,
  });
  t.like(destination, {
    analyzerName: 'default-project/ids',
    analyzerIp: '7.7.7.3',
    udpPort: 8099,
    juniperHeader: true,
  });
  t.is(resolveAnalyzer({ destination: 'd:p:gone' }, scope, objects), null);
});
