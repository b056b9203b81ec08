import type { InterfacePlan } from '#vrouterd/agent/compile.js';
import type { AclPeer, AclRecord, AclRuleRecord, FatFlowPrefix, FatFlowRecord } from '#vrouterd/tables/records.js';
import { UNRESTRICTED_PORT } from '#vrouterd/testing/plans.js';
import type { Choices } from '../engine/choices.js';

/** What an interface plan says of flows. */
export type Restrictions = typeof UNRESTRICTED_PORT;

/** ACLs a network of the fuzzer has: its own, then those of its interfaces. */
const ACLS_OF_PORTS = 4;
const ACLS = 1 + ACLS_OF_PORTS;
/** An id no ACL has. */
const NO_ACL = 99;

const PREFIXES = [
  '5.5.5.0/24',
  '5.5.5.4/30',
  '5.5.5.3/32',
  '0.0.0.0/0',
  'fd00:5::/64',
  'fd00:5::4/128',
  '::/0',
] as const;
const PORTS: readonly (readonly (readonly [number, number])[])[] = [
  [],
  [],
  [[0, 65_535]],
  [[53, 53]],
  [
    [80, 80],
    [1000, 2000],
  ],
  [[8, 8]],
];
const FAT_PREFIXES: readonly (FatFlowPrefix | null)[] = [
  null,
  null,
  { prefix: '5.5.5.0', length: 24, aggregate: 24 },
  { prefix: '5.5.5.0', length: 24, aggregate: 29 },
  { prefix: '5.5.5.4', length: 30, aggregate: 32 },
  { prefix: 'fd00:5::', length: 64, aggregate: 64 },
  { prefix: 'fd00:5::', length: 64, aggregate: 127 },
  { prefix: '0.0.0.0', length: 0, aggregate: 8 },
];

const aclsOf = (index: number): number[] => Array.from({ length: ACLS }, (_, i) => 1 + index * ACLS + i);

/** Of each network the last list: where it applies, no session begins. */
const NOTHING_PASSES = { rules: [], otherwise: 'deny' } as const;

/** Access lists of one network; rules with the numbers of networks and groups the fuzzer has. */
export function chooseAcls(choices: Choices, index: number): AclRecord[] {
  if (!choices.chance(160)) return [];
  return aclsOf(index).map((id) => ({
    id,
    name: `acl ${id}`,
    ...(id === aclsOf(index).at(-1)
      ? NOTHING_PASSES
      : {
          rules: Array.from({ length: choices.below(5) }, (_, i) => chooseRule(choices, i)),
          otherwise: choices.chance(96) ? 'deny' : 'pass',
        }),
  }));
}

/** The ACL of a network's policies, or that of another, or one that is not there; -1: none. */
export function chooseAcl(choices: Choices, acls: readonly AclRecord[]): number {
  return acls.length === 0 || choices.chance(64) ? -1 : choices.chance(8) ? NO_ACL : choices.pick(acls).id;
}

export function chooseRestrictions(choices: Choices, acls: readonly AclRecord[]): Restrictions {
  if (!choices.chance(176)) return UNRESTRICTED_PORT;
  const bits = choices.byte();
  return {
    ...UNRESTRICTED_PORT,
    packetMode: (bits & 7) === 7,
    portSecurity: (bits & 8) === 0,
    maxFlows: choices.pick([0, 0, 0, 1, 2, 4, 20]),
    groups: [[], [1], [2], [1, 2]][(bits >>> 4) & 3],
    egressAcl: chooseAcl(choices, acls),
    ingressAcl: chooseAcl(choices, acls),
    fatFlows: (bits & 0x40) === 0 ? [] : Array.from({ length: choices.below(4) }, () => chooseFatFlow(choices)),
    fatFlowExclude: (bits & 0x80) === 0 ? [] : ['5.5.5.1/32', 'fd00:5::1/128'],
  } satisfies Partial<InterfacePlan>;
}

function chooseRule(choices: Choices, index: number): AclRuleRecord {
  return {
    name: `rule ${index}`,
    action: choices.chance(160) ? 'pass' : 'deny',
    protocol: choices.pick([-1, -1, 6, 17, 1, 58, 132, 47]),
    source: choosePeer(choices),
    destination: choosePeer(choices),
    sourcePorts: choices.pick(PORTS),
    destinationPorts: choices.pick(PORTS),
    log: choices.chance(64),
    // In a world without mirrors these are none that are there.
    mirrors: index % 2 === 0 ? [] : [{ mirror: index, forward: true, reverse: index > 1 }],
  };
}

function choosePeer(choices: Choices): AclPeer {
  return {
    network: choices.chance(64) ? choices.pick([10, 11, 12, 0]) : null,
    prefix: choices.chance(96) ? choices.pick(PREFIXES) : null,
    group: choices.chance(64) ? choices.pick([1, 2, 3]) : null,
  };
}

function chooseFatFlow(choices: Choices): FatFlowRecord {
  return {
    protocol: choices.pick([6, 17, 1, 132, 47]),
    port: choices.pick([0, 53, 80, 1000, 65_535]),
    ignore: choices.pick(['none', 'source', 'destination']),
    source: choices.pick(FAT_PREFIXES),
    destination: choices.pick(FAT_PREFIXES),
  };
}
