import { Tap, Tun } from './device.js';
import type { Device, DeviceOptions } from './device.js';

/** Device and settings in one object. */
export interface TuntapOptions extends DeviceOptions {
  readonly type: 'tap' | 'tun';
  /** Bytes. */
  readonly mtu?: number;
  /** IPv4 address; needs `mask`. */
  readonly addr?: string;
  /** Dotted netmask, `255.255.255.0`. */
  readonly mask?: string;
  readonly up?: boolean;
}

/** Opens a device and sets what the options name. When a setting is refused the device is closed again and the refusal thrown. */
export function tuntap(options: TuntapOptions): Device {
  const { type, mtu, addr, mask, up, ...rest } = options;
  if (!['tap', 'tun'].includes(type)) throw new TypeError(`type must be "tap" or "tun", not ${JSON.stringify(type)}`);
  if ((addr === undefined) !== (mask === undefined)) throw new TypeError('addr and mask belong together');
  const ipv4 = addr === undefined || mask === undefined ? undefined : `${addr}/${prefixLength(mask)}`;

  const device = type === 'tap' ? new Tap(rest) : new Tun(rest);
  try {
    if (mtu !== undefined) device.mtu = mtu;
    if (ipv4 !== undefined) device.ipv4 = ipv4;
    if (up !== undefined) device.isUp = up;
  } catch (error) {
    device.release();
    throw error;
  }
  return device;
}

/** Number of leading one bits of a dotted netmask; a TypeError if it is none. */
export function prefixLength(mask: string): number {
  const bytes = mask.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  if (bytes.length !== 4 || !/^1*0*$/.test(bits) || bits.length !== 32) {
    throw new TypeError(`"${mask}" is no netmask like 255.255.255.0`);
  }
  return bits.lastIndexOf('1') + 1;
}
