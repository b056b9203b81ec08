import { native, type Watch } from './native.js';
import { closeFd, openPacketSocket } from './system.js';

/** Words of a record of a DatagramBatch, `words` for each datagram. */
export const DATAGRAM = {
  /** Bytes received, and what there were before the slot cut them. */
  length: 0,
  wholeLength: 1,
  /** When the kernel received it: seconds since 1970, nanoseconds. */
  seconds: 2,
  nanoseconds: 3,
  /** 4 or 6; 0: a frame of an interface, with what follows 0. */
  family: 4,
  sourcePort: 5,
  /** Offset of the data in `bytes`, `HEADROOM` bytes or more behind the start of its slot. */
  at: 6,
  /** 16 bytes each in network order, IPv4 in the first four. */
  source: 8,
  destination: 12,
  words: 16,
} as const;

const RECORD_BYTES = 64;
/** Longest datagram of UDP, or frame of an interface that merges segments, with headroom; see PacketIo on the 64. */
const SLOT_BYTES = 65_536 + 256 + 64;
const RECEIVE_BUFFER = 64 << 20;

/** Memory datagrams are received into, a batch at a time. Several sockets may share it. */
export class DatagramBatch {
  readonly slots: number;
  readonly slotBytes: number;
  readonly bytes: Uint8Array;
  readonly records: Uint32Array;

  /** @param slots datagrams of a batch at most, 1 to 256; @param slotBytes a multiple of 4, 128 of them in front of the data */
  constructor(slots = 64, slotBytes = SLOT_BYTES) {
    this.slots = slots;
    this.slotBytes = slotBytes;
    const buffer = new ArrayBuffer(slots * (RECORD_BYTES + slotBytes));
    this.bytes = new Uint8Array(buffer);
    this.records = new Uint32Array(buffer, 0, slots * DATAGRAM.words);
  }
}

/** A UDP socket or an interface, received from in batches, with times of the kernel and an exact count of what it dropped. */
export class DatagramSocket {
  readonly #fd: number;
  readonly #isPacketSocket: boolean;
  #watch: Watch | undefined;
  #drops = 0;
  #lastDrops = 0;
  #closed = false;

  private constructor(fd: number, isPacketSocket: boolean) {
    this.#fd = fd;
    this.#isPacketSocket = isPacketSocket;
  }

  /**
   * Binds a UDP socket to a numeric address; one of IPv6 takes IPv6 only. A receive buffer beyond the system's limit needs
   * CAP_NET_ADMIN [64 MiB]. Throws EINVAL for an address that is none, EADDRINUSE, EACCES, EADDRNOTAVAIL.
   */
  static bindUdp(address: string, port: number, receiveBuffer = RECEIVE_BUFFER): DatagramSocket {
    return new DatagramSocket(native.openUdpSocket(address, port, receiveBuffer), false);
  }

  /** Receives all frames that arrive at an interface, whomever they are for. Throws ENODEV, EPERM. */
  static sniff(ifindex: number, receiveBuffer = RECEIVE_BUFFER): DatagramSocket {
    const fd = openPacketSocket(ifindex, { vnetHeader: false, receiveBuffer });
    try {
      native.startSniffing(fd, ifindex);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
    return new DatagramSocket(fd, true);
  }

  /** Bytes of the kernel's buffer; it counts what it needs for a datagram besides its data. */
  get receiveBuffer(): number {
    return native.socketMemory(this.#fd)[1];
  }

  /** Receives what waits, at most a batch; returns how many. Throws what recvmmsg(2) says: ENETDOWN when the interface went down. */
  receive(batch: DatagramBatch): number {
    return native.receiveDatagrams(this.#fd, batch.bytes, batch.slots, batch.slotBytes);
  }

  /** Datagrams the kernel dropped since the socket was opened, because its buffer was full. */
  kernelDrops(): number {
    if (this.#closed) return this.#drops;
    if (this.#isPacketSocket) this.#drops += native.takePacketDrops(this.#fd);
    else {
      const [drops] = native.socketMemory(this.#fd);
      this.#drops += (drops - this.#lastDrops) >>> 0;
      this.#lastDrops = drops;
    }
    return this.#drops;
  }

  /** Calls back from the event loop while there is something to receive, and keeps it alive, until close. */
  onReadable(callback: () => void): void {
    this.#watch = native.watchReadable(this.#fd, callback);
  }

  /** May be called from within the callback, and twice. */
  close(): void {
    if (this.#closed) return;
    this.kernelDrops();
    this.#closed = true;
    if (this.#watch) native.unwatch(this.#watch);
    closeFd(this.#fd);
  }
}
