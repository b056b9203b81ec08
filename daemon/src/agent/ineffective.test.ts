import test from 'ava';
import { byName, firewallObject, interfaceObject, networkObject, policyObject } from '../testing/objects.js';
import { ineffective } from './ineffective.js';

const POLICIES = byName(
  policyObject('open', {}),
  policyObject('web', { protocol: 'tcp' }),
  policyObject('no', { action: 'deny' }),
  policyObject('tap', { mirror: { analyzerName: 'DPI', analyzerIp: '7.7.7.3' } }),
);

/** What is said of an interface; `spec` and `networkSpec` add to it and to its network. */
function said(spec: object, networkSpec: object = {}, firewalls: string[] = []): string | undefined {
  const network = networkObject('blue', 1, { subnets: [{ prefix: '10.1.0.0/24' }], ...networkSpec });
  const vmi = interfaceObject('vm', 1, '10.1.0.3', { virtualNetwork: 'blue', ...spec });
  const selecting = firewalls.map((name) => firewallObject(name, {}));
  return ineffective(vmi, network, POLICIES, selecting);
}

const VM = 'VirtualMachineInterface/vm:';
const everything = { securityGroups: ['web', 'db'], fatFlows: [{ protocol: 'tcp' }], maxFlows: 10 };

test('an interface in flow mode has nothing that does nothing', (t) => {
  t.is(said(everything, { policies: ['web', 'no'], fatFlows: [{ protocol: 'udp' }] }), undefined);
  t.is(said({ portSecurity: false }), undefined);
});

test('in packet mode everything that needs flows is named, and what to do', (t) => {
  t.is(
    said({ packetMode: true, ...everything }, { policies: ['open', 'web', 'no'] }),
    `${VM} in packet mode SecurityGroup/web, SecurityGroup/db, the filters of NetworkPolicy/web, the filters of NetworkPolicy/no, ` +
      'fatFlows, maxFlows, portSecurity and rpf do nothing; set packetMode: false, or remove them (portSecurity: false)',
  );
  t.is(
    said({ packetMode: true, portSecurity: false, maxFlows: 3 }),
    `${VM} in packet mode maxFlows does nothing; set packetMode: false, or remove it`,
  );
  t.is(
    said({ packetMode: true }, { rpf: 'disable', fatFlows: [{ protocol: 'tcp' }] }),
    `${VM} in packet mode fatFlows and portSecurity do nothing; set packetMode: false, or remove them (portSecurity: false)`,
  );
});

test('mirrors of policies need sessions, and those of the interface do not', (t) => {
  const mirrors = [{ analyzerName: 'DPI', analyzerIp: '7.7.7.3' }];
  t.is(
    said({ packetMode: true, portSecurity: false, mirrors }, { policies: ['tap'] }),
    `${VM} in packet mode mirroring by NetworkPolicy/tap does nothing; set packetMode: false, or remove it`,
  );
  t.is(said({ mirrors }, { policies: ['tap'] }), undefined);
});

test('an interface that is in packet mode and says so everywhere is left in peace', (t) => {
  t.is(said({ packetMode: true, portSecurity: false }, { policies: ['open'] }), undefined);
  t.is(said({ packetMode: true }, { portSecurity: false }), undefined);
});

test('security groups without port security, and anything by session in a network of layer 2, are told too', (t) => {
  t.is(
    said({ portSecurity: false, securityGroups: ['web'] }),
    `${VM} without portSecurity SecurityGroup/web does nothing; set portSecurity: true, or remove it`,
  );
  t.is(said({}, { forwardingMode: 'l2' }), undefined);
  t.is(
    said({ securityGroups: ['web'] }, { forwardingMode: 'l2', policies: ['no'] }),
    `${VM} in VirtualNetwork/blue, which is of layer 2, SecurityGroup/web and the filters of NetworkPolicy/no do nothing; ` +
      'use forwardingMode l2_l3, or remove them',
  );
});

test('a firewall policy that selects an interface without flows is told to do nothing there', (t) => {
  t.is(
    said({ packetMode: true, portSecurity: false }, {}, ['web', 'db']),
    `${VM} in packet mode FirewallPolicy/web and FirewallPolicy/db do nothing; set packetMode: false, or remove them`,
  );
  t.is(
    said({}, { forwardingMode: 'l2' }, ['web']),
    `${VM} in VirtualNetwork/blue, which is of layer 2, FirewallPolicy/web does nothing; use forwardingMode l2_l3, or remove it`,
  );
  t.is(said({}, {}, ['web']), undefined);
});
