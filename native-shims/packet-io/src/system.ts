import { native } from './native.js';

/** What the kernel's refusals look like when thrown. */
export interface SystemError extends Error {
  /** Name of the errno, such as ENODEV. */
  readonly code: string;
  /** The errno, negative. */
  readonly errno: number;
  readonly syscall: string;
}

/** Bytes of received frames that may wait in a packet socket. */
const RECEIVE_BUFFER = 8 << 20;

/**
 * Opens a packet socket on an interface of this thread's network namespace: every protocol, received frames only, non-blocking.
 * Needs CAP_NET_RAW. The caller closes it, after detach. Throws ENODEV, EPERM.
 */
export function openPacketSocket(
  ifindex: number,
  options: { readonly vnetHeader: boolean; readonly receiveBuffer?: number },
): number {
  return native.openPacketSocket(ifindex, options.vnetHeader, options.receiveBuffer ?? RECEIVE_BUFFER);
}

/** Closes a descriptor. Throws EBADF. */
export function closeFd(fd: number): void {
  native.closeFd(fd);
}

/** Makes an eventfd, non-blocking. */
export function createEventFd(): number {
  return native.createEventFd();
}

/** Makes an eventfd readable, so that a step waiting on it returns. Any thread may call it. */
export function wake(fd: number): void {
  native.wake(fd);
}

/**
 * Maps the first `bytes` of a regular file, shared: every mapping of it, in any thread or process, sees the same bytes, and they
 * outlive the process. The file is made (mode 0640) and grown as needed. Unmapped when the buffer is collected.
 */
export function mapFile(path: string, bytes: number): ArrayBuffer {
  return native.mapFile(path, bytes);
}

/**
 * Takes the exclusive lock of a file, made as needed, until the returned descriptor is closed or the process ends. Throws
 * EWOULDBLOCK when somebody holds it.
 */
export function lockFile(path: string): number {
  return native.lockFile(path);
}

/** Tells systemd the state of the service, such as `READY=1` (sd_notify(3)). False when nobody asked to be told. */
export function sdNotify(state: string): boolean {
  const socketName = process.env.NOTIFY_SOCKET;
  if (!socketName) return false;
  native.notify(socketName, state);
  return true;
}
