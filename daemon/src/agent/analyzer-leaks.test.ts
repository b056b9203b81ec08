import test from 'ava';
import {
  byName,
  destinationObject,
  firewallObject,
  instanceObject,
  interfaceObject,
  networkObject,
  policyObject,
} from '../testing/objects.js';
import { AnalyzerLeaks } from './analyzer-leaks.js';
import { interfaceMirrors, resolveAnalyzer } from './analyzers.js';
import type { FirewallObject } from './firewall.js';
import type { InterfaceObject, NetworkObject } from './plan.js';
import { ANYBODY, type PolicyObject, ruleOf } from './policy.js';
import { automaticTarget } from '../control/route-target.js';
import type { AclRuleRecord } from '../tables/records.js';
import { FABRIC } from './compile.js';

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
  firewalls: readonly FirewallObject[] = [],
) => ({
  VirtualNetwork: byName(...networks),
  VirtualMachineInterface: byName(...interfaces),
  NetworkPolicy: byName(...policies),
  ServiceInstance: byName(instanceObject('dpi', 'left')),
  MirrorDestination: byName(destinationObject('ids', {}, `${SCOPE}:left`)),
  FirewallPolicy: byName(...firewalls),
});
const names = (networks: readonly { readonly name: string }[]): string[] =>
  networks.map(({ name }) => name.replace(`${SCOPE}:`, ''));

const routes = (leaks: AnalyzerLeaks, one: NetworkObject): string[] =>
  leaks.routesOf(one).map(({ network: name, prefix }) => `${prefix} in ${name.replace(`${SCOPE}:`, '')}`);
const HOSTS = { ...ANYBODY, network: FABRIC.network };

test('a network that carries a policy with a service instance has a route to it, and the network there has none back', (t) => {
  const leaks = new AnalyzerLeaks(objectsOf([BLUE, RED, TAP]));
  t.deepEqual(
    [BLUE, RED, TAP].map((one) => routes(leaks, one)),
    [['7.7.7.3/32 in tap'], [], []],
  );
  t.deepEqual(leaks.routesOf(BLUE)[0].target, automaticTarget(7));
});

test('a network that filters nothing is kept apart from one copies come from, and takes copies of hosts', (t) => {
  const leaks = new AnalyzerLeaks(objectsOf([BLUE, RED, TAP]));
  t.deepEqual(names(leaks.strangersTo(TAP)), ['blue']);
  t.deepEqual(names(leaks.strangersTo(BLUE)), [], 'its own policies filter');
  t.like(leaks.copyRules(TAP), [
    { protocol: 17, source: HOSTS, destination: { prefix: '7.7.7.3/32' }, destinationPorts: [[8099, 8099]] },
  ]);
  const joined = { routeTargets: ['target:65500:1'] };
  const both = [network('blue', 4, { policies: ['p'], ...joined }), network('tap', 7, joined)];
  t.deepEqual(names(new AnalyzerLeaks(objectsOf(both)).strangersTo(both[1])), [], 'route targets connect them');
});

const mirrored = (mirror: object): InterfaceObject =>
  interfaceObject('vnf', 1, '5.0.0.3', { virtualNetwork: 'red', mirrors: [mirror] });

test('an interface mirrored to a service instance leaks as a policy does, with its own port; free text does not', (t) => {
  const leaks = (mirror: object): AnalyzerLeaks =>
    new AnalyzerLeaks(objectsOf([RED, TAP], [LEFT, mirrored(mirror)], []));
  const some = leaks({ analyzerName: 'dpi', udpPort: 8888 });
  t.deepEqual([routes(some, RED), names(some.strangersTo(RED))], [['7.7.7.3/32 in tap'], ['tap']]);
  t.like(some.copyRules(TAP), [{ destinationPorts: [[8888, 8888]] }]);
  t.deepEqual(leaks({ analyzerName: 'DPI', analyzerIp: '7.7.7.3' }).routesOf(RED), []);
  t.deepEqual(leaks({ destination: 'ids' }).routesOf(RED), []);
});

test('a mirror that is switched off, or that the NIC makes, opens nothing', (t) => {
  const nic = { analyzerName: 'dpi', nicAssistedMirroring: true, nicAssistedVlan: 7 };
  for (const mirror of [{ analyzerName: 'dpi', enable: false }, nic]) {
    const leaks = new AnalyzerLeaks(objectsOf([RED, TAP], [LEFT, mirrored(mirror)], []));
    t.deepEqual([leaks.routesOf(RED), leaks.copyRules(TAP), leaks.strangersTo(TAP)], [[], [], []]);
  }
  const leaks = new AnalyzerLeaks(objectsOf([BLUE, TAP], [LEFT], [policyObject('p', { mirror: nic })]));
  t.deepEqual([leaks.routesOf(BLUE), leaks.copyRules(TAP)], [[], []]);
});

test('what a policy lets pass of a network, it lets pass of the copies hosts send of its packets, and no more', (t) => {
  const [own, tap] = [network('blue', 4, { policies: ['p'] }), network('tap', 7, { policies: ['q'] })];
  const mirror = policyObject('p', { mirror: { analyzerName: 'DPI', analyzerIp: '7.7.7.3', udpPort: 8888 } });
  const leaks = new AnalyzerLeaks(objectsOf([own, tap], [LEFT], [mirror]));
  t.deepEqual(leaks.copyRules(tap), [], 'a network with policies asks those');
  const rule = (source: number, more: object = {}): AclRuleRecord => ({
    ...ruleOf('q', 17, { source: { ...ANYBODY, network: source }, destination: { ...ANYBODY, network: 7 } }),
    destinationPorts: [[8000, 9000]],
    ...more,
  });
  const like = (one: AclRuleRecord): AclRuleRecord[] => leaks.rulesLike(one, tap);
  t.like(like(rule(4)), [
    { source: HOSTS, destination: { prefix: '7.7.7.3/32' }, protocol: 17, destinationPorts: [[8888, 8888]] },
  ]);
  t.like(like(rule(4, { action: 'deny', protocol: -1 })), [{ action: 'deny', protocol: 17 }]);
  const others = [rule(5), rule(7), rule(4, { protocol: 6 }), rule(4, { destinationPorts: [[1, 2]] })];
  t.deepEqual(others.flatMap(like), []);
});

test('an analyzer in the network whose packets are copied takes the copies of other hosts, whoever asks for them', (t) => {
  const inside = interfaceObject('x', 2, '4.0.0.9', { virtualNetwork: 'blue' });
  const mirror = policyObject('p', { mirror: { analyzerName: 'DPI', analyzerIp: '4.0.0.9' } });
  t.is(new AnalyzerLeaks(objectsOf([BLUE], [inside], [mirror])).copyRules(BLUE).length, 1);
  const firewall = firewallObject('f', { rules: [{}], secondaryActions: { mirrorTo: ['ids'] } });
  const leaks = new AnalyzerLeaks(objectsOf([TAP], [LEFT], [], [firewall]));
  t.like(leaks.copyRules(TAP), [{ destination: { prefix: '7.7.7.3/32' } }]);
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
