import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { HostPlan } from './agent/plan.js';
import type { RemoteParts } from './agent/remote-hosts.js';
import { type Config, defaultNetworkMtu, mtuBehind } from './config.js';
import { defaultMac } from './control/names.js';

const DEFAULT_UNDERLAY_MTU = 1500;

/** The underlay interface: the one that was named, or the one that has the tunnel address. */
function underlay({ tunnel }: Config): { mac: string; mtu: number } | undefined {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    const own = addresses?.find(({ address }) => address === tunnel.address);
    if (name !== tunnel.interface && !own) continue;
    const mac = readFileSync(`/sys/class/net/${name}/address`, 'utf8').trim();
    if (/^00(:00){5}$/.test(mac)) return undefined;
    return { mac, mtu: Number(readFileSync(`/sys/class/net/${name}/mtu`, 'utf8')) };
  }
  return undefined;
}

function underlayMtu(config: Config): number {
  return config.tunnel.mtu ?? underlay(config)?.mtu ?? DEFAULT_UNDERLAY_MTU;
}

/** The same for what is behind outer headers of IPv6, whose surplus nobody else reckons with. */
export function innerMtu(config: Config): number {
  return mtuBehind(config.tunnel.address, underlayMtu(config));
}

/** What plans of networks depend on. */
export function hostPlan(config: Config): HostPlan {
  return {
    networkMtu: defaultNetworkMtu(config.tunnel.encapsulations, innerMtu(config)),
    mac: underlay(config)?.mac ?? macOf(config.host),
  };
}

/** A locally administered address for a host whose underlay has no Ethernet address of its own: always the same. */
function macOf(host: string): string {
  return defaultMac(createHash('sha1').update(host).digest('hex'));
}

/** What tunnels of this host begin with. */
export function tunnelPlan(config: Config): Pick<RemoteParts, 'host' | 'address' | 'encapsulations' | 'mtu'> {
  const { address, encapsulations } = config.tunnel;
  return { host: config.host, address, encapsulations, mtu: underlayMtu(config) };
}
