/** The addon: one system call (or a few that belong together) each. A failed one throws a SystemError, a bad argument a TypeError. */
import { createRequire } from 'node:module';

/** What to open, see {@link openTap}. */
export interface OpenOptions {
  /** 1 to 15 bytes; without it the kernel picks the next free tapN or tunN. */
  readonly name?: string;
  /** File of the network namespace the device lives in (`/run/netns/NAME`, `/proc/PID/ns/net`); default: the process's own. */
  readonly netns?: string;
  /** Ethernet frames or IP packets. Default `tap`. */
  readonly mode?: 'tap' | 'tun';
  /** Each frame is preceded by a 10-byte virtio-net header, both ways. Default false. */
  readonly vnetHeader?: boolean;
  /** The kernel may leave checksums partial and hand over TCP and UDP super-frames. Needs and defaults to `vnetHeader`. */
  readonly offloads?: boolean;
  /** Several descriptors may be attached to the device, each a queue. All must ask for it. Default false. */
  readonly multiQueue?: boolean;
  /** The device outlives its descriptors. Default: as it is, which for a new device is false. */
  readonly persist?: boolean;
  /** User and group that may attach without CAP_NET_ADMIN. Default: as they are. */
  readonly owner?: number;
  readonly group?: number;
}

/** An open queue. Close `fd` with {@link closeFd}. */
export interface OpenDevice {
  /** Non-blocking, closed on exec. One read or write is one frame. */
  readonly fd: number;
  readonly name: string;
  /** Interface index inside the device's namespace. */
  readonly ifindex: number;
}

/** A refusal by the kernel, shaped like the errors of node:fs. */
export interface SystemError extends Error {
  /** Name of the error, `EPERM`. */
  readonly code: string;
  /** Its number, negative. */
  readonly errno: number;
  /** The call that failed, or the name of the ioctl. */
  readonly syscall: string;
}

/** Readiness of a descriptor in the event loop. Close it before the descriptor. */
interface Watch {
  /** Which of READABLE and WRITABLE to be called back for; 0: none. */
  want(events: number): void;
  close(): void;
}

interface Addon {
  openTap(options: OpenOptions): OpenDevice;
  setPersist(fd: number, on: boolean): void;
  setOffloads(fd: number, on: boolean): void;
  closeFd(fd: number): void;
  /** One frame; its length, or a negative errno. */
  readFrame(fd: number, into: Uint8Array): number;
  writeFrame(fd: number, frame: Uint8Array): number;
  duplicateFd(fd: number): number;
  /** The functions below take this socket, and a name or index of its namespace. */
  openRouteSocket(netns?: string): number;
  isUp(control: number, name: string): boolean;
  setUp(control: number, name: string, up: boolean): void;
  getMtu(control: number, name: string): number;
  setMtu(control: number, name: string, mtu: number): void;
  getMac(control: number, name: string): string;
  setMac(control: number, name: string, mac: string): void;
  getAddress(control: number, ifindex: number, family: 4 | 6): string | undefined;
  setAddress(control: number, ifindex: number, family: 4 | 6, address: string): void;
  setLinkOffloads(control: number, name: string, on: boolean): void;
  limitLinkOffloads(control: number, name: string): void;
  /** `onEvents` gets the events that hold, or a negative errno after which nothing more comes. */
  readonly Watch: new (fd: number, onEvents: (events: number) => void) => Watch;
}

export const READABLE = 1;
export const WRITABLE = 2;

export const addon = createRequire(import.meta.url)('../build/Release/tuntap2.node') as Addon;

/**
 * Creates a TUN or TAP device, or opens (another queue of) an existing one of the same name and mode. A namespace is entered by a
 * thread of the addon's own; no thread of Node changes its namespace. Fails with EPERM without CAP_NET_ADMIN there, EBUSY when
 * somebody else is attached, EINVAL when the name belongs to another kind of interface.
 */
export const openTap = (options: OpenOptions): OpenDevice => addon.openTap(options);

/** Whether the device stays when its last descriptor is closed. */
export const setPersist = (fd: number, on: boolean): void => {
  addon.setPersist(fd, on);
};

/** Whether the kernel may hand over partial checksums and super-frames; for devices with a virtio-net header. */
export const setOffloads = (fd: number, on: boolean): void => {
  addon.setOffloads(fd, on);
};

/** Closes a descriptor of {@link openTap}. A device that is not persistent vanishes with its last one. */
export const closeFd = (fd: number): void => {
  addon.closeFd(fd);
};

/** Another descriptor of what `fd` is open on; close both. */
export const duplicateFd = (fd: number): number => addon.duplicateFd(fd);

/** An rtnetlink socket (rtnetlink(7)) in a namespace, by default the process's own. Close it with {@link closeFd}. */
export const openRouteSocket = (netns?: string): number => addon.openRouteSocket(netns);

/**
 * On: an interface may leave to others the checksums and the segmentation that a 10-byte virtio-net header can tell of. Off: every
 * frame it sends is complete and fits its MTU, and received ones are not merged. What its driver cannot switch stays as it is.
 */
export const setLinkOffloads = (name: string, on: boolean, netns?: string): void => {
  withRouteSocket(netns, (socket) => {
    addon.setLinkOffloads(socket, name, on);
  });
};

/**
 * Switches off the offloads of an interface that a 10-byte virtio-net header cannot tell of: segmentation within tunnels, SCTP and
 * its checksum, UDP segmentation before Linux 6.2. Nothing is switched on.
 */
export const limitLinkOffloads = (name: string, netns?: string): void => {
  withRouteSocket(netns, (socket) => {
    addon.limitLinkOffloads(socket, name);
  });
};

function withRouteSocket(netns: string | undefined, work: (socket: number) => void): void {
  const socket = openRouteSocket(netns);
  try {
    work(socket);
  } finally {
    closeFd(socket);
  }
}
