/** Why a frame goes to the agent: the trap commands of the vRouter (tf-vrouter include/vr_defs.h). */
export const PUNT = { arp: 2, nexthop: 4, l3: 7, handleDf: 11, zeroTtl: 12, icmpError: 13, routerAlert: 16 } as const;
export type PuntCommand = (typeof PUNT)[keyof typeof PUNT];
