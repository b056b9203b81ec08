import type { InterfacePlan, NetworkPlan } from '../agent/compile.js';
import { MAX_MIRRORS } from '../tables/mirror.js';

/** What an interface plan says of an interface that nothing restricts. */
export const UNRESTRICTED_PORT: Omit<
  InterfacePlan,
  'vif' | 'l3Nexthop' | 'l2Nexthop' | 'device' | 'mac' | 'addresses' | 'dhcp'
> = {
  l3Label: 16,
  l2Label: 17,
  packetMode: false,
  portSecurity: false,
  maxFlows: 0,
  groups: [],
  groupNames: [],
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: [],
  fatFlowExclude: [],
  mirrors: [],
};

/** What a network plan says of a network without policies, on one host. */
export const OPEN_NETWORK: Pick<
  NetworkPlan,
  'acl' | 'rpf' | 'evpnNexthop' | 'isElsewhere' | 'vniNexthop' | 'floodLabel' | 'imports' | 'exports'
> = {
  acl: -1,
  rpf: true,
  evpnNexthop: 91,
  isElsewhere: false,
  vniNexthop: 90,
  floodLabel: 18,
  imports: [],
  exports: [],
};

/** Ranges of ids that no test exhausts. */
export const ID_RANGES = {
  vif: { first: 3, end: 1000 },
  vrf: { first: 1, end: 1000 },
  nexthop: { first: 16, end: 10_000 },
  acl: { first: 1, end: 1000 },
  group: { first: 1, end: 1000 },
  label: { first: 16, end: 10_000 },
  mirror: { first: 0, end: MAX_MIRRORS },
} as const;
