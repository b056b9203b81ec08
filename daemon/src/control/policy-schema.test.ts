import test from 'ava';
import { storedObject } from './commit-script.js';
import { RefusedError } from './refused.js';
import { parseDocument } from './schema.js';

const document = (kind: string, spec: unknown, metadata: unknown = { name: 'web' }) => ({
  apiVersion: 'vrouter/v1',
  kind,
  metadata,
  spec,
});
const policy = (...rules: unknown[]) => document('NetworkPolicy', { rules });
const group = (spec: unknown) => document('SecurityGroup', spec);

/** The message a document is refused with, without its subject. */
function refusal(raw: unknown): string {
  try {
    parseDocument(raw);
  } catch (error) {
    if (error instanceof RefusedError) return error.message.replace(/^\w+\/web: /, '');
    throw error;
  }
  return 'accepted';
}

test('a rule of a policy passes everything both ways unless it says otherwise', (t) => {
  const any = { ports: 'any' };
  const rule = { action: 'pass', protocol: 'any', direction: '<>', source: any, destination: any, log: false };
  t.deepEqual(parseDocument(policy({})).spec as unknown, { rules: [rule] });
  t.deepEqual(parseDocument(policy({ source: { any: true }, destination: { virtualNetwork: 'any' } })), {
    ...parseDocument(policy({})),
  });
  t.deepEqual(parseDocument(document('NetworkPolicy', {})).spec as unknown, { rules: [] });
});

test('protocols and ports get one form each, and networks their full names', (t) => {
  const given = {
    action: 'deny',
    protocol: 6,
    direction: '>',
    source: { subnet: 'FD00:5:0::/64', ports: 1024 },
    destination: { virtualNetwork: 'blue', ports: [80, '443', '8000-8080', '9-9'] },
    log: true,
  };
  t.deepEqual(parseDocument(document('NetworkPolicy', { rules: [given] }, { name: 'web', project: 'p' })).spec, {
    rules: [
      {
        action: 'deny',
        protocol: 'tcp',
        direction: '>',
        source: { subnet: 'fd00:5::/64', ports: [1024] },
        destination: { virtualNetwork: 'default-domain:p:blue', ports: [80, 443, '8000-8080', 9] },
        log: true,
      },
    ],
  });
});

test('a group without rules lets everything out and its own members in', (t) => {
  const rule = { protocol: 'any', ports: 'any' };
  const own = 'default-domain:default-project:web';
  t.deepEqual(parseDocument(group({})).spec as unknown, { ingress: [{ ...rule, remoteGroup: own }], egress: [rule] });
  t.deepEqual(parseDocument(group({ ingress: [], egress: [] })).spec as unknown, { ingress: [], egress: [] });
});

test('what parseDocument returns is accepted again and stays the same', (t) => {
  const documents = [
    policy({ protocol: 'tcp', source: { virtualNetwork: 'd:p:blue' }, destination: { ports: ['1-9'] } }),
    group({ ingress: [{ remoteGroup: 'self' }, { remoteGroup: 'db' }, { protocol: 58, icmpType: 128, icmpCode: 0 }] }),
    document('VirtualNetwork', { policies: ['web', 'd:p:web', 'web'] }),
    document('VirtualMachineInterface', { virtualNetwork: 'blue', securityGroups: ['a', 'a', 'b'], maxFlows: 8 }),
  ];
  for (const given of documents) {
    const once = parseDocument(given);
    t.deepEqual(parseDocument(once), once);
  }
});

test('what is wrong with a rule is told at its field', (t) => {
  const cases: [unknown, string][] = [
    [policy({ action: 'drop' }), 'spec.rules[0].action: "drop" is not known; use pass, deny'],
    [
      policy({}, { protocol: 'tpc' }),
      'spec.rules[1].protocol: "tpc" is not a protocol; use any, tcp, udp, icmp, icmp6, sctp or a number from 0 to 255',
    ],
    [
      policy({ protocol: 256 }),
      'spec.rules[0].protocol: 256 is not a protocol; use any, tcp, udp, icmp, icmp6, sctp or a number from 0 to 255',
    ],
    [policy({ direction: '<' }), 'spec.rules[0].direction: "<" is not known; use <>, >'],
    [
      policy({ source: { virtualNetwork: 'blue', subnet: '5.5.5.0/24' } }),
      'spec.rules[0].source.subnet: cannot stand beside virtualNetwork; keep one',
    ],
    [policy({ source: { network: 'blue' } }), 'spec.rules[0].source.network: is not a field here'],
    [
      policy({ source: { subnet: '5.5.5.0/24' }, destination: { subnet: 'fd00::/64' } }),
      'spec.rules[0].destination.subnet: "fd00::/64" is not IPv4, as the subnet of the source is',
    ],
    [
      policy({ destination: { ports: [80, '90-80'] } }),
      'spec.rules[0].destination.ports[1]: "90-80" is not a port; use one from 0 to 65535 or a range, e.g. "8000-8080"',
    ],
    [
      policy({ destination: { ports: 65536 } }),
      'spec.rules[0].destination.ports: 65536 is not a port; use one from 0 to 65535 or a range, e.g. "8000-8080"',
    ],
    [policy({ source: { ports: [] } }), 'spec.rules[0].source.ports: is empty; name at least one port, or write any'],
    [
      policy({ protocol: 'icmp', destination: { ports: [8] } }),
      'spec.rules[0].destination.ports: protocol icmp has no ports; use tcp, udp or sctp, or leave the ports out',
    ],
    [
      group({ ingress: [{ protocol: 47, ports: 1 }] }),
      'spec.ingress[0].ports: protocol 47 has no ports; use tcp, udp or sctp, or leave the ports out',
    ],
    [group({ egress: [{ icmpType: 8 }] }), 'spec.egress[0].icmpType: needs protocol icmp or icmp6'],
    [group({ egress: [{ protocol: 1, icmpCode: 8 }] }), 'spec.egress[0].icmpCode: needs an icmpType beside it'],
    [
      group({ egress: [{ remotePrefix: '5.0.0.0/8', remoteGroup: 'self' }] }),
      'spec.egress[0].remoteGroup: cannot stand beside remotePrefix; keep one',
    ],
    [
      group({ egress: [{ remotePrefix: '5.0.0.1/8' }] }),
      'spec.egress[0].remotePrefix: "5.0.0.1/8" has bits set behind its length; use e.g. 5.5.5.0/24',
    ],
    [document('VirtualNetwork', { rpf: true }), 'spec.rpf: true is not known; use enable, disable'],
    [
      document('VirtualNetwork', { policies: ['a b'] }),
      'spec.policies[0]: "a b" is not a name (NAME or DOMAIN:PROJECT:NAME); use e.g. blue',
    ],
    [
      document('VirtualMachineInterface', { virtualNetwork: 'blue', maxFlows: -1 }),
      'spec.maxFlows: -1 is too small; use 0 or more',
    ],
  ];
  for (const [given, message] of cases) t.is(refusal(given), message);
});

test('objects stored before a field existed have its default', (t) => {
  const network = { kind: 'VirtualNetwork', name: 'd:p:blue' } as const;
  t.like(storedObject(network, JSON.stringify({ spec: { forwardingMode: 'l3' } })).spec, {
    forwardingMode: 'l3',
    policies: [],
    rpf: 'enable',
    portSecurity: true,
    fatFlows: [],
  });
  const port = { kind: 'VirtualMachineInterface', name: 'd:p:vm1' } as const;
  t.deepEqual(storedObject(port, JSON.stringify({ spec: { virtualNetwork: 'd:p:blue' } })).spec as unknown, {
    virtualNetwork: 'd:p:blue',
    securityGroups: [],
    packetMode: false,
    fatFlows: [],
    mirrors: [],
  });
});
