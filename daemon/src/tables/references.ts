import type { Tables } from './tables.js';

/** Who refers to whom: what `vif` prints as Ref and `nh` as Ref_cnt. Each object counts once for being there. */
export interface References {
  vif(id: number): number;
  nexthop(id: number): number;
}

/** Counts all references in the tables: to nexthops by routes, bridge entries, composites, interfaces, labels, VNIs and mirrors, to interfaces by nexthops. */
export function countReferences(tables: Tables): References {
  const vifs = new Map<number, number>();
  const nexthops = new Map<number, number>();
  const add = (counts: Map<number, number>, id: number): void => {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  };
  for (const vif of tables.vifs.entries()) {
    add(vifs, vif.id);
    add(nexthops, vif.record.nexthop);
  }
  for (const nexthop of tables.nexthops.entries()) {
    add(nexthops, nexthop.id);
    if (nexthop.oif >= 0) add(vifs, nexthop.oif);
    for (const member of nexthop.members) add(nexthops, member);
  }
  for (const vrf of tables.vrfs) {
    if (!vrf) continue;
    for (const table of [vrf.inet, vrf.inet6]) for (const route of table.records()) add(nexthops, route.nexthop);
  }
  for (const entry of tables.bridge.entries()) add(nexthops, entry.nexthop);
  for (const { nexthop } of tables.labels.entries()) add(nexthops, nexthop);
  for (const { nexthop } of tables.vnis.entries()) add(nexthops, nexthop);
  for (const { record } of tables.mirrors.entries()) add(nexthops, record.nexthop);
  return { vif: (id) => vifs.get(id) ?? 0, nexthop: (id) => nexthops.get(id) ?? 0 };
}
