import type { BridgeRouteDump, InetRouteDump, NexthopDump } from '../../../daemon/src/control/dumps.js';
import type { Daemon } from './daemon.js';
import { until } from './process.js';
import { portOf } from './topology.js';

/** Where a host sends packets for an address: the nexthop, and the label (with VXLAN the network identifier) they carry. */
export interface Way {
  readonly nexthop: NexthopDump;
  readonly label: number;
}

/** The route of a port's network to an address, once it leads into a tunnel. */
export async function tunnelTo(daemon: Daemon, portName: string, address: string): Promise<Way> {
  const { vif } = await portOf(daemon, portName);
  const family = address.includes(':') ? 'inet6' : 'inet';
  const prefix = `${address}/${family === 'inet' ? 32 : 128}`;
  return until(`${daemon.host} has a tunnel to ${address}`, async () => {
    const { code, stdout } = await daemon.attempt('rt', `--get ${prefix} --vrf ${vif.vrf} --family ${family} --json`);
    if (code !== 0) return undefined;
    const { nexthop, label } = JSON.parse(stdout) as InetRouteDump;
    const nh = await daemon.attempt('nh', `--get ${nexthop} --json`);
    if (nh.code !== 0) return undefined;
    const [found] = [JSON.parse(nh.stdout) as NexthopDump | NexthopDump[]].flat();
    return /^tunnel$/i.test(found.type) ? { nexthop: found, label: label ?? -1 } : undefined;
  });
}

/** Labels below which a host sends Ethernet frames: those of its bridge entries, and those for what goes to all. */
export async function bridgedLabels(daemon: Daemon): Promise<readonly number[]> {
  const labels = new Set<number>();
  const vifs = await daemon.dump<{ readonly vrf: number }[]>('vif', '--list');
  for (const vrf of new Set(vifs.map((vif) => vif.vrf).filter((one) => one > 0 && one < 65_535))) {
    const entries = await daemon.dump<BridgeRouteDump[]>('rt', `--dump ${vrf} --family bridge`);
    for (const { label } of entries) if (label !== null && label > 0) labels.add(label);
  }
  for (const { members } of await daemon.dump<NexthopDump[]>('nh', '--list')) {
    for (const { label } of members ?? []) if (label > 0) labels.add(label);
  }
  return [...labels];
}
