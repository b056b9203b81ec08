import { GATEWAY_LINK_LOCAL } from '#vrouterd/agent/compile.js';
import { GATEWAY_MAC } from '#vrouterd/wire/ethernet.js';
import * as addr from '#vrouterd/wire/addr.js';
import { put32 } from '#vrouterd/wire/bytes.js';

/** Guests a network of the fuzzer has at most. Every network has the same addresses, so that one leaking into another shows. */
export const GUESTS = 4;
export const HOST_MAC = '0c:c4:7a:59:62:5c';
export const guestMac = (guest: number): string => `02:00:00:00:00:0${guest + 3}`;
export const guestIp = (guest: number): string => `5.5.5.${guest + 3}`;
export const guestIp6 = (guest: number): string => `fd00:5::${guest + 3}`;
export const GATEWAY_IP = '5.5.5.1';
export const SERVICE_IP = '5.5.5.2';
export const GATEWAY_IP6 = 'fd00:5::1';
export const SERVICE_IP6 = 'fd00:5::2';

const guests = Array.from({ length: GUESTS }, (_, i) => i);

function ipv4Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(4);
  put32(bytes, 0, addr.parseIpv4(text));
  return bytes;
}

/** Addresses that mean something to a network of the fuzzer, and some that do not. */
export const MACS: readonly Uint8Array[] = [
  ...guests.map(guestMac),
  GATEWAY_MAC,
  HOST_MAC,
  'ff:ff:ff:ff:ff:ff',
  '01:00:5e:00:00:01',
  '33:33:00:00:00:01',
  '33:33:ff:00:00:03',
  '02:00:00:00:00:99',
  '00:00:00:00:00:00',
].map(addr.parseMac);

export const IPS: readonly Uint8Array[] = [
  ...guests.map(guestIp),
  GATEWAY_IP,
  SERVICE_IP,
  '5.5.5.255',
  '5.5.5.77',
  '0.0.0.0',
  '8.8.8.8',
  '127.0.0.1',
  '224.0.0.1',
  '255.255.255.255',
].map(ipv4Bytes);

export const IP6S: readonly Uint8Array[] = [
  ...guests.map(guestIp6),
  GATEWAY_IP6,
  SERVICE_IP6,
  GATEWAY_LINK_LOCAL,
  'fe80::ff:fe00:3',
  'fd00:5::77',
  'fd00:9::1',
  '::',
  '::1',
  'ff02::1',
  'ff02::1:ff00:3',
].map(addr.parseIpv6);
