import type { InterfacePlan, NetworkPlan } from '../agent/compile.js';

/** What an interface plan says of an interface that nothing restricts. */
export const UNRESTRICTED_PORT: Omit<
  InterfacePlan,
  'vif' | 'l3Nexthop' | 'l2Nexthop' | 'device' | 'mac' | 'addresses' | 'dhcp'
> = {
  packetMode: false,
  portSecurity: false,
  maxFlows: 0,
  groups: [],
  egressAcl: -1,
  ingressAcl: -1,
  fatFlows: [],
  fatFlowExclude: [],
};

/** What a network plan says of a network without policies. */
export const OPEN_NETWORK: Pick<NetworkPlan, 'acl' | 'rpf'> = { acl: -1, rpf: true };

/** Ranges of ids that no test exhausts. */
export const ID_RANGES = {
  vif: { first: 3, end: 1000 },
  vrf: { first: 1, end: 1000 },
  nexthop: { first: 16, end: 10_000 },
  acl: { first: 1, end: 1000 },
  group: { first: 1, end: 1000 },
} as const;
