import type { GuestConfig } from '#vrouterd/agent/punt.js';
import type { Choices } from '../engine/choices.js';
import { GATEWAY_IP, GATEWAY_IP6, guestIp, HOST_MAC, SERVICE_IP, SERVICE_IP6 } from '../frames/addresses.js';

const MTUS = [1450, 1280, 68, 327, 328, 400, 576, 9216] as const;
const NAMES = ['guest', 'a', 'x'.repeat(63), `${'y'.repeat(60)}.`.repeat(4) + 'z'] as const;
const PREFIXES = ['9.9.9.0/24', '0.0.0.0/0', '10.0.0.0/8', '1.2.3.4/32', '128.0.0.0/1'] as const;

/** A guest as the resources' validators could let through: of any network, with any DHCP settings. */
export function chooseGuest(choices: Choices): GuestConfig {
  const bits = choices.byte();
  const inet = (bits & 1) === 0;
  const inet6 = (bits & 2) === 0;
  const gateway = (bits & 4) === 0;
  const mtus = inet6 ? MTUS.filter((mtu) => mtu >= 1280) : MTUS;
  const mtu = choices.pick(mtus);
  const subnets: GuestConfig['subnets'][number][] = [];
  if (inet) subnets.push({ prefix: '5.5.5.0/24', gateway: gateway ? GATEWAY_IP : null, serviceAddress: SERVICE_IP });
  if (inet6) {
    subnets.push({ prefix: 'fd00:5::/64', gateway: gateway ? GATEWAY_IP6 : null, serviceAddress: SERVICE_IP6 });
    const more = (bits & 8) === 0 ? 0 : choices.below(64);
    for (let i = 0; i < more; i++) {
      subnets.push({ prefix: `fd00:${(i + 16).toString(16)}::/64`, gateway: null, serviceAddress: null });
    }
  }
  return { routed: (bits & 16) === 0, subnets, mtu, dhcp: inet ? chooseDhcp(choices, mtu, gateway, bits) : null };
}

function chooseDhcp(choices: Choices, mtu: number, gateway: boolean, bits: number): GuestConfig['dhcp'] {
  const many = choices.below(90);
  return {
    enabled: (bits & 32) === 0,
    address: guestIp(0),
    prefixLength: choices.pick([24, 8, 30, 29]),
    gateway: gateway ? GATEWAY_IP : null,
    serviceAddress: (bits & 64) === 0 ? SERVICE_IP : null,
    hostMac: HOST_MAC,
    dnsServers: Array.from({ length: choices.below(4) * (1 + (many % 70)) }, (_, i) => `8.8.8.${i & 255}`),
    domainName: choices.pick([null, ...NAMES]),
    hostName: choices.pick(NAMES),
    hostRoutes: Array.from({ length: (bits & 128) === 0 ? 0 : many }, (_, i) => ({
      prefix: PREFIXES[i % PREFIXES.length],
      nextHop: '5.5.5.9',
    })),
    mtu,
    leaseSeconds: choices.pick([0xffffffff, 0, 3600]),
  };
}
