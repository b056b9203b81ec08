import { createRequire } from 'node:module';
import * as addr from '../wire/addr.js';
import { get32, put16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as gre from '../wire/gre.js';
import * as ipv4 from '../wire/ipv4.js';

/** A raw socket for GRE that takes whole IPv4 packets: one of the package `raw-socket`. */
export interface GreSocket {
  /** `message`: an IPv4 packet, in memory that the next one uses again. */
  on(event: 'message', listener: (packet: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  send(
    buffer: Buffer,
    offset: number,
    length: number,
    address: string,
    before: null,
    after: (error: Error | null) => void,
  ): unknown;
  close(): unknown;
}

export interface RawGreParts {
  /** Our address. */
  readonly address: string;
  /** MAC the datapath takes for that of the underlay interface. */
  readonly mac: string;
  readonly socket: GreSocket;
  /** Lets the datapath receive a frame. */
  readonly receive: (frame: Uint8Array) => boolean;
  readonly log: { warn(about: object, text: string): void };
}

/** The constants of `raw-socket` that are needed, and what it opens. */
interface RawSocketModule {
  readonly AddressFamily: { readonly IPv4: number };
  readonly SocketLevel: { readonly IPPROTO_IP: number };
  readonly SocketOption: { readonly IP_HDRINCL: number };
  createSocket(options: { addressFamily: number; protocol: number; bufferSize?: number }): GreSocket & {
    setOption(level: number, option: number, value: number): void;
  };
}

/** Longest IPv4 packet, bytes. */
const PACKET_MAX = 65_536;

/** Opens the socket. Throws EPERM. */
export function openGreSocket(): GreSocket {
  // Loaded where it is used only.
  const raw = createRequire(import.meta.url)('raw-socket') as RawSocketModule;
  const socket = raw.createSocket({
    addressFamily: raw.AddressFamily.IPv4,
    protocol: gre.PROTOCOL,
    bufferSize: PACKET_MAX,
  });
  socket.setOption(raw.SocketLevel.IPPROTO_IP, raw.SocketOption.IP_HDRINCL, 1);
  return socket;
}

/** Packets that may wait for the socket. */
const WAITING_MAX = 1000;
/** Who seems to send what arrives. */
const OTHERS_MAC = '02:00:00:00:00:fe';

/** Sockets in use: one that nobody holds is closed when it is collected, in the midst of its work. */
const held = new Set<GreSocket>();

/**
 * GRE tunnels through a raw socket of the kernel, for underlays that have no Ethernet. The datapath knows frames: their Ethernet
 * headers are made here for what arrives, and taken off what is sent.
 */
export class RawGre {
  readonly #parts: RawGreParts;
  #waiting = 0;
  /** What was told already. */
  readonly #told = new Set<string>();
  #closed = false;

  constructor(parts: RawGreParts) {
    this.#parts = parts;
    const { socket, address, mac, receive } = parts;
    held.add(socket);
    const us = addr.parseIpv4(address);
    const header = new Uint8Array(ethernet.LEN);
    header.set(addr.parseMac(mac));
    header.set(addr.parseMac(OTHERS_MAC), ethernet.SRC);
    put16(header, ethernet.TYPE, ethernet.TYPE_IPV4);
    socket.on('message', (packet) => {
      // The socket has packets to any address of this host.
      if (!ipv4.fits(0, packet.length) || ipv4.dst(packet, 0) >>> 0 !== us >>> 0) return;
      const frame = new Uint8Array(ethernet.LEN + packet.length);
      frame.set(header);
      frame.set(packet, ethernet.LEN);
      receive(frame);
    });
    socket.on('error', (error) => {
      this.#tell(error);
    });
  }

  /** Sends the packet in a frame of the datapath; what is no GRE over IPv4 is lost. */
  send(frame: Uint8Array): void {
    const at = ethernet.LEN;
    if (this.#closed || this.#waiting >= WAITING_MAX) return;
    if (!ipv4.fits(at, frame.length) || ipv4.protocol(frame, at) !== gre.PROTOCOL) return;
    // The caller uses the frame's memory again.
    const packet = Buffer.from(frame.subarray(at));
    this.#waiting++;
    this.#parts.socket.send(packet, 0, packet.length, addr.formatIpv4(get32(packet, ipv4.DST)), null, (error) => {
      this.#waiting--;
      if (error) this.#tell(error);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    held.delete(this.#parts.socket);
    this.#parts.socket.close();
  }

  #tell(error: Error): void {
    const { message } = error;
    if (this.#closed || this.#told.has(message)) return;
    this.#told.add(message);
    this.#parts.log.warn({ reason: message }, 'cannot send every tunnel packet');
  }
}
