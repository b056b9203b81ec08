export { Device, Tap, Tun } from './device.js';
export type { DeviceOptions } from './device.js';
export {
  closeFd,
  duplicateFd,
  limitLinkOffloads,
  openRouteSocket,
  openTap,
  setLinkOffloads,
  setOffloads,
  setPersist,
} from './native.js';
export type { OpenDevice, OpenOptions, SystemError } from './native.js';
export { tuntap } from './tuntap.js';
export type { TuntapOptions } from './tuntap.js';
