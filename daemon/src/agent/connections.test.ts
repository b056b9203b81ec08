import test from 'ava';
import { byName, networkObject, policyObject } from '../testing/objects.js';
import { connections } from './connections.js';

const SCOPE = 'default-domain:default-project';

/** Which networks know which, as `blue>green`. `policiesOf` names the policies of each. */
function knowing(policiesOf: Record<string, string[]>, ...policies: Parameters<typeof policyObject>[]): string[] {
  const names = Object.keys(policiesOf);
  const networks = names.map((name, i) =>
    networkObject(name, i + 1, {
      subnets: [{ prefix: `10.${i + 1}.0.0/24` }],
      policies: policiesOf[name],
      ...(name === 'flat' ? { forwardingMode: 'l2' } : {}),
    }),
  );
  const known = connections(networks, networks, byName(...policies.map((args) => policyObject(...args))));
  const short = (name: string): string => name.slice(SCOPE.length + 1);
  return [...known].flatMap(([name, others]) => others.map((other) => `${short(name)}>${short(other.name)}`));
}

test('a pass rule makes the network it names known to the one that has the policy', (t) => {
  const [blue, green, flat] = ['blue', 'green', 'flat'].map((virtualNetwork) => ({ virtualNetwork }));
  const both = { blue: ['p'], green: ['p'], red: [] };
  t.deepEqual(knowing(both, ['p', { source: blue, destination: green }]), ['blue>green', 'green>blue']);
  t.deepEqual(knowing(both, ['p', { source: blue, destination: green, direction: '>' }]), ['blue>green', 'green>blue']);
  t.deepEqual(knowing(both, ['p', { source: blue, destination: green, action: 'deny' }]), []);
  t.deepEqual(knowing({ ...both, green: [] }, ['p', { source: blue, destination: green }]), ['blue>green']);
  t.deepEqual(knowing({ ...both, blue: [], red: ['p'] }, ['p', { source: blue, destination: green }]), ['green>blue']);
  t.deepEqual(knowing({ blue: ['p'], flat: ['p'] }, ['p', { source: blue, destination: flat }]), []);
});

test('a rule that says any or a subnet connects only networks that both have such a rule', (t) => {
  t.deepEqual(knowing({ blue: ['p'], green: ['p'], red: [] }, ['p', {}]), ['blue>green', 'green>blue']);
  const toSubnet = { source: { virtualNetwork: 'blue' }, destination: { subnet: '10.2.0.128/25' } };
  t.deepEqual(knowing({ blue: ['p'], green: ['p'], red: ['p'] }, ['p', toSubnet]), ['blue>green', 'green>blue']);
  t.deepEqual(knowing({ blue: ['p'], green: [] }, ['p', toSubnet]), []);
});
