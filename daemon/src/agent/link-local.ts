import { formatIpv6, parseMac } from '../wire/addr.js';

/** The IPv6 link-local address a station makes of its MAC: fe80::/64 and the modified EUI-64 (RFC 4291 appendix A). */
export function linkLocalOf(mac: string): string {
  const [a, b, c, d, e, f] = parseMac(mac);
  return formatIpv6(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f));
}
