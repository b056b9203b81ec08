import type { Choices } from '../engine/choices.js';

/** Names and prefixes are few, so that requests meet. */
const NETWORKS = ['blue', 'red', 'other:p:blue', 'green'] as const;
const INTERFACES = ['vm0', 'vm1', 'vm2', 'vm3', 'vm4', 'vm5', 'other:p:vm0'] as const;
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
    choices.chance(96) ? network(choices) : port(choices),
  );
  if (choices.chance(64)) return { kind: 'remove', documents };
  return { kind: 'apply', documents, dryRun: choices.chance(24), prune: choices.chance(24) };
}

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
