import { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { constants } from 'node:os';
import { addon, closeFd, openRouteSocket, openTap, READABLE, WRITABLE } from './native.js';
import type { OpenDevice, OpenOptions, SystemError } from './native.js';

/** What a device can be opened with; all of {@link OpenOptions} but the mode, which is the class. */
export type DeviceOptions = Omit<OpenOptions, 'mode'>;

type WriteDone = (error?: Error | null) => void;

/** Longest frame: a 64 KB super-frame, its Ethernet header with two VLAN tags, a virtio-net header. */
const MAX_FRAME = 65_536 + 22 + 10;
/** Frames read per turn of the event loop, so that a busy device does not starve the rest. */
const READ_BATCH = 64;
/** Frames that wait in the stream before reading pauses, and bytes before `write` returns false. */
const READ_AHEAD = 256;
const WRITE_AHEAD = 1 << 20;

// Reading is synchronous and copies out, so all devices of a thread share one buffer.
const incoming = Buffer.allocUnsafeSlow(MAX_FRAME);

/**
 * A TUN or TAP device as a Duplex stream: every chunk read is one frame, every write must be one. Created with the object, gone
 * when it is destroyed (unless persistent). Nothing but the event loop waits for frames: no thread of the pool is used.
 */
export abstract class Device extends Duplex {
  readonly #device: OpenDevice;
  /** Socket in the device's namespace, for its properties. */
  readonly #control: number;
  readonly #watch: InstanceType<typeof addon.Watch>;
  /** Events the watch is set to. */
  #wanted = 0;
  /** The write that found the queue full. */
  #waiting: { readonly frame: Buffer; readonly done: WriteDone } | undefined;

  protected constructor(options: OpenOptions) {
    // Objects, because the readable side must not join frames; setEncoding and decoding work all the same.
    super({ readableObjectMode: true, readableHighWaterMark: READ_AHEAD, writableHighWaterMark: WRITE_AHEAD });
    this.#device = openTap(options);
    try {
      this.#control = openRouteSocket(options.netns);
    } catch (error) {
      closeFd(this.#device.fd);
      throw error;
    }
    this.#watch = new addon.Watch(this.#device.fd, (events) => {
      this.#onEvents(events);
    });
    process.nextTick(() => {
      if (this.destroyed) return;
      this.emit('open', this.#device.fd);
      this.emit('ready');
    });
  }

  /** Name of the interface. */
  get name(): string {
    return this.#device.name;
  }

  /** Interface index in the device's namespace. */
  get ifindex(): number {
    return this.#device.ifindex;
  }

  abstract get isTap(): boolean;

  get isTun(): boolean {
    return !this.isTap;
  }

  /** Whether the interface is administratively up. Frames written while it is down fail with EIO. */
  get isUp(): boolean {
    return addon.isUp(this.#control, this.name);
  }

  set isUp(up: boolean) {
    addon.setUp(this.#control, this.name, up);
  }

  /** Largest IP packet in bytes. */
  get mtu(): number {
    return addon.getMtu(this.#control, this.name);
  }

  set mtu(mtu: number) {
    addon.setMtu(this.#control, this.name, mtu);
  }

  /** Address of the Ethernet interface, `02:00:00:00:00:01`; a TUN has none. */
  get mac(): string {
    this.#needTap();
    return addon.getMac(this.#control, this.name);
  }

  set mac(mac: string) {
    this.#needTap();
    addon.setMac(this.#control, this.name, mac);
  }

  /** First IPv4 address, `192.0.2.1/24`; empty if there is none. Setting it replaces all of them. */
  get ipv4(): string {
    return addon.getAddress(this.#control, this.ifindex, 4) ?? '';
  }

  set ipv4(address: string) {
    addon.setAddress(this.#control, this.ifindex, 4, address);
  }

  /**
   * First IPv6 address, `2001:db8::1/64`, the link-local one only if there is no other; empty if there is none. Setting it replaces
   * all but the link-local one.
   */
  get ipv6(): string {
    return addon.getAddress(this.#control, this.ifindex, 6) ?? '';
  }

  set ipv6(address: string) {
    addon.setAddress(this.#control, this.ifindex, 6, address);
  }

  /** Closes the device; `done` is called when it is closed. */
  release(done?: () => void): void {
    if (done) {
      if (this.closed) process.nextTick(done);
      else this.once('close', done);
    }
    this.destroy();
  }

  override _read(): void {
    this.#want(this.#wanted | READABLE);
  }

  override _write(frame: Buffer, _encoding: BufferEncoding, done: WriteDone): void {
    const result = addon.writeFrame(this.#device.fd, frame);
    if (result === -constants.errno.EAGAIN) {
      this.#waiting = { frame, done };
      this.#want(this.#wanted | WRITABLE);
      return;
    }
    done(result < 0 ? systemError(result, 'write', this.name) : null);
  }

  override _destroy(error: Error | null, done: WriteDone): void {
    this.#watch.close();
    closeFd(this.#control);
    closeFd(this.#device.fd);
    this.#waiting?.done(systemError(-constants.errno.ECANCELED, 'write', this.name));
    done(error);
  }

  #want(events: number): void {
    if (events === this.#wanted) return;
    this.#wanted = events;
    this.#watch.want(events);
  }

  #onEvents(events: number): void {
    if (events < 0) {
      this.destroy(systemError(events, 'poll', this.name));
      return;
    }
    if (events & WRITABLE) this.#writeAgain();
    if (events & READABLE) this.#readBatch();
  }

  #writeAgain(): void {
    this.#want(this.#wanted & ~WRITABLE);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this._write(waiting.frame, 'binary', waiting.done);
  }

  #readBatch(): void {
    for (let i = 0; i < READ_BATCH && !this.destroyed; i++) {
      const length = addon.readFrame(this.#device.fd, incoming);
      if (length === -constants.errno.EAGAIN) return;
      if (length < 0) {
        this.destroy(systemError(length, 'read', this.name));
        return;
      }
      if (!this.push(Buffer.from(incoming.subarray(0, length)))) {
        this.#want(this.#wanted & ~READABLE);
        return;
      }
    }
  }

  #needTap(): void {
    if (this.isTun) throw new TypeError(`${this.name} is a TUN device and has no MAC address`);
  }
}

/** Ethernet frames. */
export class Tap extends Device {
  constructor(options: DeviceOptions = {}) {
    super({ ...options, mode: 'tap' });
  }

  override get isTap(): boolean {
    return true;
  }
}

/** IP packets. */
export class Tun extends Device {
  constructor(options: DeviceOptions = {}) {
    super({ ...options, mode: 'tun' });
  }

  override get isTap(): boolean {
    return false;
  }
}

function systemError(errno: number, syscall: string, name: string): SystemError {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${syscall} ${name}`), { code, errno, syscall });
}
