import * as z from 'zod';
import { fatFlows } from './fat-flow.js';
import { address, dnsName, prefix, reference, routeTargets } from './fields.js';
import { contains, formatPrefix, parseAddress, parsePrefix, type Prefix } from './prefix.js';

/** Smallest and largest IP packet a network may be set to, bytes; IPv6 needs 1280 (RFC 8200 section 5). */
const MTU = { min: 68, minIpv6: 1280, max: 9216 } as const;
/** VXLAN network identifiers have 24 bits (RFC 7348 section 5). */
const VNI_MAX = 0xff_ffff;
/** Lengths of prefix a subnet may have: not the whole address space, and room for a gateway and a guest. */
const SUBNET_LENGTH = { 4: { min: 8, max: 30 }, 6: { min: 16, max: 126 } } as const;

const subnetFields = z.strictObject({
  prefix,
  gateway: address.optional().describe('Default: the first address + 1, or the last - 1. 0.0.0.0 or :: for no gateway'),
  serviceAddress: address
    .optional()
    .describe('Source of DHCP answers. Default: the first address + 2, or the last - 2'),
  enableDhcp: z.boolean().default(true),
  addrFromStart: z.boolean().default(true).describe('Which end of the subnet addresses are given from'),
  allocationPools: z
    .array(z.strictObject({ start: address, end: address }))
    .default([])
    .describe('Ranges addresses are given from. Default: the whole subnet'),
  hostRoutes: z.array(z.strictObject({ prefix, nextHop: address })).default([]),
  dnsServers: z.array(address).default([]),
  domainName: dnsName.optional(),
});

const subnet = subnetFields.superRefine((given, context) => {
  for (const { path, problem } of subnetProblems(given)) context.addIssue({ code: 'custom', path, message: problem });
});

const networkFields = z.strictObject({
  forwardingMode: z.enum(['l2_l3', 'l3', 'l2']).default('l2_l3'),
  subnets: z.array(subnet).default([]),
  vxlanId: z
    .int()
    .min(1)
    .max(VNI_MAX)
    .optional()
    .describe('Default: the smallest number no other network has or had lately'),
  floodUnknownUnicast: z.boolean().default(false),
  mtu: z.int().min(MTU.min).max(MTU.max).optional().describe('Largest IP packet, bytes'),
  policies: z
    .array(reference)
    .default([])
    .describe('Names of network policies, first come first. None: nothing is filtered'),
  routeTargets: routeTargets.describe('Route targets its routes are exported with, and whose routes it imports'),
  importRouteTargets: routeTargets.describe('Route targets whose routes it imports as well'),
  exportRouteTargets: routeTargets.describe('Route targets its routes are exported with as well'),
  rpf: z
    .enum(['enable', 'disable'])
    .default('enable')
    .describe('Whether packets must come from where the route to their source leads'),
  portSecurity: z
    .boolean()
    .default(true)
    .describe('Whether interfaces may only send from their own addresses, and their security groups apply'),
  fatFlows: fatFlows.describe('Sessions of all its interfaces that share one flow entry'),
});

export const virtualNetworkSpec = networkFields.superRefine((given, context) => {
  for (const { path, problem } of networkProblems(given)) context.addIssue({ code: 'custom', path, message: problem });
});

/** What a user wants of a network. Addresses, prefixes and names are in canonical text. */
export type VirtualNetworkSpec = z.output<typeof networkFields>;
export type SubnetSpec = z.output<typeof subnetFields>;

/** What was decided when the network was applied. */
export interface VirtualNetworkStatus {
  /** Number of the network, which is also its VXLAN network identifier. */
  readonly networkId: number;
}

interface Problem {
  readonly path: (string | number)[];
  readonly problem: string;
}

function* subnetProblems(given: SubnetSpec): Generator<Problem> {
  const range = parsePrefix(given.prefix);
  yield* rangeProblems(range);
  if (given.gateway !== undefined && !isNone(given.gateway, range)) {
    yield* interiorProblems(range, given.gateway, ['gateway']);
  }
  if (given.serviceAddress !== undefined) yield* interiorProblems(range, given.serviceAddress, ['serviceAddress']);
  yield* poolProblems(range, given.allocationPools);
  for (const [index, route] of given.hostRoutes.entries()) {
    yield* familyProblems(range, parsePrefix(route.prefix).family, route.prefix, ['hostRoutes', index, 'prefix']);
    yield* familyProblems(range, parseAddress(route.nextHop).family, route.nextHop, ['hostRoutes', index, 'nextHop']);
  }
  for (const [index, server] of given.dnsServers.entries()) {
    yield* familyProblems(range, parseAddress(server).family, server, ['dnsServers', index]);
  }
}

/** Whether the gateway of a subnet says that there is none: 0.0.0.0, or :: in an IPv6 subnet. */
export function isNone(gateway: string, { family }: Prefix): boolean {
  const given = parseAddress(gateway);
  return given.family === family && given.value === 0n;
}

function* rangeProblems(range: Prefix): Generator<Problem> {
  const { min, max } = SUBNET_LENGTH[range.family];
  const path = ['prefix'];
  if (range.length < min || range.length > max) {
    yield {
      path,
      problem: `"${formatPrefix(range)}" is too ${range.length < min ? 'large' : 'small'}; use a length of ${min} to ${max}`,
    };
  } else if (!isUnicast(range)) {
    yield {
      path,
      problem: `"${formatPrefix(range)}" is not a range for guests; use a unicast range such as 10.1.0.0/24`,
    };
  }
}

/** Ranges in which no station can have its address: this-network, loopback, link-local IPv6, multicast and above. */
function isUnicast(range: Prefix): boolean {
  if (range.family === 4) {
    const top = range.first >> 24n;
    return top !== 0n && top !== 127n && top < 224n;
  }
  const top = range.first >> 112n;
  return top !== 0n && top >> 6n !== 0xfe80n >> 6n && top >> 8n !== 0xffn;
}

/** Gateway and service address lie inside the subnet and are neither its first nor its last address. */
function* interiorProblems(range: Prefix, text: string, path: (string | number)[]): Generator<Problem> {
  const given = parseAddress(text);
  if (!contains(range, given)) {
    yield { path, problem: `"${text}" is not in ${formatPrefix(range)}; use an address of the subnet` };
  } else if (given.value === range.first || given.value === range.last) {
    yield {
      path,
      problem: `"${text}" is the ${given.value === range.first ? 'first' : 'last'} address of the subnet, which stays reserved; use another`,
    };
  }
}

function* poolProblems(range: Prefix, pools: SubnetSpec['allocationPools']): Generator<Problem> {
  const bounds = pools.map(({ start, end }) => ({ start: parseAddress(start), end: parseAddress(end) }));
  for (const [index, { start, end }] of bounds.entries()) {
    const path = ['allocationPools', index];
    if (!contains(range, start)) {
      yield { path: [...path, 'start'], problem: `"${pools[index].start}" is not in ${formatPrefix(range)}` };
    } else if (!contains(range, end)) {
      yield { path: [...path, 'end'], problem: `"${pools[index].end}" is not in ${formatPrefix(range)}` };
    } else if (start.value > end.value) {
      yield { path: [...path, 'end'], problem: `"${pools[index].end}" comes before the start of the pool` };
    }
    const other = bounds.findIndex((b, i) => i < index && b.start.value <= end.value && start.value <= b.end.value);
    if (other >= 0) yield { path, problem: `overlaps with allocationPools[${other}]` };
  }
}

function* familyProblems(range: Prefix, family: number, text: string, path: (string | number)[]): Generator<Problem> {
  if (family !== range.family)
    yield { path, problem: `"${text}" is not IPv${range.family}, as ${formatPrefix(range)} is` };
}

function* networkProblems(given: VirtualNetworkSpec): Generator<Problem> {
  const ranges = given.subnets.map((s) => parsePrefix(s.prefix));
  for (const [index, range] of ranges.entries()) {
    const other = ranges.findIndex(
      (r, i) => i < index && r.family === range.family && r.first <= range.last && range.first <= r.last,
    );
    if (other >= 0) {
      const path = ['subnets', index, 'prefix'];
      yield {
        path,
        problem: `"${formatPrefix(range)}" overlaps with subnets[${other}], ${formatPrefix(ranges[other])}`,
      };
    }
  }
  if (given.mtu !== undefined && given.mtu < MTU.minIpv6 && ranges.some((range) => range.family === 6)) {
    yield { path: ['mtu'], problem: `${given.mtu} is too small for IPv6; use ${MTU.minIpv6} or more` };
  }
}
