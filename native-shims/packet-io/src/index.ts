export { PacketIo, PORT, type PacketIoOptions } from './packet-io.js';
export { DATAGRAM, DatagramBatch, DatagramSocket } from './datagram-socket.js';
export { FramePipe } from './frame-pipe.js';
export { LinkMonitor, RouteMonitor, type LinkEvent, type RouteEvent } from './link-monitor.js';
export { listLinks, sendDrops } from './link-query.js';
export { listAddresses, listNeighbours, listRoutes, openRouteQuery, routeTo, useNeighbour } from './route-query.js';
export type { Link } from './netlink.js';
export type { InterfaceAddress, Neighbour, Route } from './netlink-route.js';
export {
  closeFd,
  createEventFd,
  lockFile,
  mapFile,
  openPacketSocket,
  sdNotify,
  wake,
  type BpfInstruction,
  type SystemError,
} from './system.js';
