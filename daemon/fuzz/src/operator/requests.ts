import type { Choices } from '../engine/choices.js';

/** Names and prefixes are few, so that requests meet. */
const NETWORKS = ['blue', 'red', 'other:p:blue', 'green'] as const;
const INTERFACES = ['vm0', 'vm1', 'vm2', 'vm3', 'vm4', 'vm5', 'other:p:vm0'] as const;
const POLICIES = ['web', 'ssh', 'other:p:web'] as const;
const GROUPS = ['web', 'db', 'other:p:db'] as const;
const PROTOCOLS = ['any', 'tcp', 'udp', 'icmp', 'icmp6', 132, 47] as const;
/** Fat-flow rules, some of which are about the same packets and say something else. */
const FAT_FLOWS = [
  { protocol: 'tcp', port: 80 },
  { protocol: 'tcp', port: 80, ignoreAddress: 'source' },
  { protocol: 6, port: 80, ignoreAddress: 'none' },
  { protocol: 'udp', ignoreAddress: 'destination' },
  { protocol: 'udp', sourcePrefix: '5.5.5.0/29', sourceAggregateLength: 29 },
  { protocol: 'udp', sourcePrefix: '5.5.5.0/29', sourceAggregateLength: 30 },
  { protocol: 58, destinationPrefix: 'fd00:5::/125', destinationAggregateLength: 128 },
] as const;
const HOSTS = ['h1', 'h2'] as const;
/** Subnets, and addresses that lie in them. */
const SUBNETS = [
  { prefix: '5.5.5.0/29', inside: ['5.5.5.1', '5.5.5.2', '5.5.5.3', '5.5.5.4', '5.5.5.5', '5.5.5.6', '0.0.0.0'] },
  { prefix: 'fd00:5::/125', inside: ['fd00:5::1', 'fd00:5::2', 'fd00:5::3', 'fd00:5::6', '::'] },
  { prefix: '5.5.5.8/30', inside: ['5.5.5.9', '5.5.5.10'] },
  { prefix: '6.0.0.0/28', inside: ['6.0.0.1', '6.0.0.2', '6.0.0.3', '6.0.0.9', '6.0.0.14'] },
  { prefix: 'fd00:6::/120', inside: ['fd00:6::1', 'fd00:6::3', 'fd00:6::9', 'fd00:6::ff'] },
  { prefix: '5.5.4.0/22', inside: ['5.5.4.1', '5.5.5.3', '5.5.5.4', '5.5.7.254'] },
] as const;
const ADDRESSES = [
  ...['5.5.5.0', '5.5.5.1', '5.5.5.2', '5.5.5.3', '5.5.5.4', '5.5.5.6', '5.5.5.7', '5.5.5.9', '5.5.5.10', '6.0.0.5'],
  ...['fd00:5::3', 'fd00:5::4', 'fd00:5::7', 'fd00:6::3', '0.0.0.0', '::'],
] as const;
const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02', '00:00:5e:00:01:00'] as const;
const UUIDS = ['f8659136-1178-4a5c-9d3e-0c1b2a394857', 'f8659136-1178-4a5c-9d3e-0c1b2a394858'] as const;
const DEVICES = ['tap0', 'tap1'] as const;

/** One request to the operator. */
export type Request =
  | {
      readonly kind: 'apply';
      readonly documents: readonly unknown[];
      readonly dryRun: boolean;
      readonly prune: boolean;
    }
  | { readonly kind: 'remove'; readonly documents: readonly unknown[] };

export function chooseRequest(choices: Choices): Request {
  const documents = Array.from({ length: 1 + choices.below(4) }, () =>
    choices.chance(80) ? network(choices) : choices.chance(64) ? rules(choices) : port(choices),
  );
  if (choices.chance(64)) return { kind: 'remove', documents };
  return { kind: 'apply', documents, dryRun: choices.chance(24), prune: choices.chance(24) };
}

/** A network policy or a security group. */
function rules(choices: Choices): unknown {
  const isPolicy = choices.chance(128);
  const list = (make: (choices: Choices) => unknown): unknown[] =>
    Array.from({ length: choices.below(3) }, () => make(choices));
  return {
    apiVersion: 'vrouter/v1',
    kind: isPolicy ? 'NetworkPolicy' : 'SecurityGroup',
    metadata: metadata(choices, isPolicy ? POLICIES : GROUPS),
    spec: isPolicy
      ? { rules: list(policyRule) }
      : {
          ...(choices.chance(128) ? { ingress: list(groupRule) } : {}),
          ...(choices.chance(128) ? { egress: list(groupRule) } : {}),
        },
  };
}

function policyRule(choices: Choices): unknown {
  const peer = (): unknown =>
    choices.pick([{}, { virtualNetwork: choices.pick(NETWORKS) }, { subnet: choices.pick(SUBNETS).prefix }]);
  return {
    protocol: choices.pick(PROTOCOLS),
    ...(choices.chance(64) ? { action: 'deny' } : {}),
    ...(choices.chance(64) ? { direction: '>' } : {}),
    source: peer(),
    destination: peer(),
  };
}

function groupRule(choices: Choices): unknown {
  return {
    protocol: choices.pick(PROTOCOLS),
    ...choices.pick([
      {},
      { remoteGroup: 'self' },
      { remoteGroup: choices.pick(GROUPS) },
      { remotePrefix: '5.5.5.0/29' },
    ]),
  };
}

/** Some of a list, perhaps one twice. */
const some = <T>(choices: Choices, list: readonly T[]): T[] =>
  Array.from({ length: choices.below(3) }, () => choices.pick(list));

function network(choices: Choices): unknown {
  const bits = choices.byte();
  const first = choices.below(SUBNETS.length);
  // Neighbours in the list do not overlap.
  const subnets = Array.from({ length: choices.below(3) }, (_, i) =>
    subnet(choices, SUBNETS[(first + i) % SUBNETS.length]),
  );
  return {
    apiVersion: 'vrouter/v1',
    kind: 'VirtualNetwork',
    metadata: metadata(choices, NETWORKS),
    spec: {
      ...((bits & 16) === 0 ? { subnets: [{ prefix: SUBNETS[0].prefix }] } : { subnets }),
      ...((bits & 3) === 1 ? { vxlanId: 1 + choices.below(4) } : {}),
      ...((bits & 12) === 4 ? { forwardingMode: choices.pick(['l2', 'l3']) } : {}),
      ...((bits & 96) === 96 ? { policies: some(choices, POLICIES) } : {}),
      ...((bits & 192) === 192 ? { fatFlows: some(choices, FAT_FLOWS), rpf: 'disable' } : {}),
    },
  };
}

function subnet(choices: Choices, { prefix, inside }: (typeof SUBNETS)[number]): unknown {
  const bits = choices.byte();
  const address = (): string => choices.pick(choices.chance(16) ? ADDRESSES : inside);
  return {
    prefix,
    ...((bits & 3) === 1 ? { gateway: address() } : {}),
    ...((bits & 12) === 4 ? { serviceAddress: address() } : {}),
    ...((bits & 16) === 16 ? { addrFromStart: false } : {}),
    ...((bits & 96) === 32 ? { allocationPools: [{ start: address(), end: address() }] } : {}),
  };
}

function port(choices: Choices): unknown {
  const bits = choices.byte();
  const addresses = Array.from({ length: 1 + choices.below(2) }, () => choices.pick(ADDRESSES));
  return {
    apiVersion: 'vrouter/v1',
    kind: 'VirtualMachineInterface',
    metadata: metadata(choices, INTERFACES),
    spec: {
      virtualNetwork: choices.pick(NETWORKS),
      ...((bits & 3) === 1 ? { addresses } : {}),
      ...((bits & 12) === 4 ? { mac: choices.pick(MACS) } : {}),
      ...((bits & 48) === 16 ? { host: choices.pick(HOSTS) } : {}),
      ...attach(choices, bits),
      ...(choices.chance(64) ? { securityGroups: some(choices, GROUPS) } : {}),
      ...(choices.chance(48) ? { fatFlows: some(choices, FAT_FLOWS) } : {}),
      ...(choices.chance(32) ? { packetMode: true, portSecurity: false, maxFlows: 7 } : {}),
    },
  };
}

function attach(choices: Choices, bits: number): object {
  if ((bits & 192) === 64) return { attach: { type: 'device', device: choices.pick(DEVICES) } };
  if ((bits & 192) === 128) return { attach: { type: 'netns', netns: choices.pick(['g1', '/run/netns/g1', 'g2']) } };
  return {};
}

function metadata(choices: Choices, names: readonly string[]): unknown {
  const name = choices.pick(names);
  return choices.chance(16)
    ? { name, uuid: choices.pick(UUIDS) }
    : { name, labels: choices.chance(16) ? { a: 'b' } : {} };
}
