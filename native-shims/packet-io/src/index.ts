export { PacketIo, PORT, type PacketIoOptions } from './packet-io.js';
export { LinkMonitor, type LinkEvent } from './link-monitor.js';
export { listLinks, sendDrops } from './link-query.js';
export type { Link } from './netlink.js';
export {
  closeFd,
  createEventFd,
  lockFile,
  mapFile,
  openPacketSocket,
  sdNotify,
  wake,
  type SystemError,
} from './system.js';
