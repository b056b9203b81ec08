export { PacketIo, PORT, type PacketIoOptions } from './packet-io.js';
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
