/** Mirrored frames from a UDP socket. */
import { DATAGRAM, DatagramBatch, DatagramSocket } from 'packet-io';
import { put16 } from '../wire/bytes.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as udp from '../wire/udp.js';
import { DatagramInput } from './datagram-input.js';
import type { Format } from './frame.js';
import type { Session } from './session.js';

export interface UdpOptions {
  /** Numeric. */
  readonly address: string;
  readonly port: number;
  readonly format: Format;
  /** Make headers for what the socket delivers without: for sinks that write whole packets. */
  readonly keepHeaders: boolean;
  /** Bytes the kernel may keep for us [64 MiB]. */
  readonly receiveBuffer?: number;
}

/** `0.0.0.0:8099`, `[::]:8099`. */
export const endpointText = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Memory all sockets of this thread receive into, one after the other. */
let shared: DatagramBatch | undefined;
const sharedBatch = (): DatagramBatch => (shared ??= new DatagramBatch());

export class UdpInput extends DatagramInput {
  readonly #options: UdpOptions;
  /** Where addresses are, as bytes: the records in memory. */
  readonly #addresses: Uint8Array;

  /** Binds at once: from now on the kernel keeps what arrives, and answers nobody. Throws as DatagramSocket.bindUdp. */
  constructor(session: Session, options: UdpOptions) {
    const socket = DatagramSocket.bindUdp(options.address, options.port, options.receiveBuffer);
    super(socket, session, `udp ${endpointText(options.address, options.port)}`, sharedBatch());
    this.#options = options;
    this.#addresses = this.batch.bytes;
    this.decoder.carrier.source = this.#addresses;
    this.decoder.carrier.port = options.port;
  }

  /** Bytes the kernel keeps for us at most. */
  get receiveBuffer(): number {
    return this.socket.receiveBuffer;
  }

  protected take(records: Uint32Array, record: number, at: number, length: number): void {
    const { carrier, frame } = this.decoder;
    carrier.sourceAt = (record + DATAGRAM.source) * 4;
    carrier.sourceLen = records[record + DATAGRAM.family] === 6 ? ipv6.ADDRESS_LEN : 4;
    frame.outerLength = 0;
    if (this.#options.keepHeaders) this.#makeHeaders(records, record, at, length);
    const wholeEnd = at + records[record + DATAGRAM.wholeLength];
    this.decoder.payload(this.#options.format, this.batch.bytes, at, at + length, wholeEnd);
  }

  /** Puts the headers in front that the datagram had, as far as the socket tells them; the slot has room for them. */
  #makeHeaders(records: Uint32Array, record: number, at: number, length: number): void {
    const b = this.batch.bytes;
    const { frame } = this.decoder;
    const isIpv6 = records[record + DATAGRAM.family] === 6;
    const udpAt = at - udp.LEN;
    const ipAt = udpAt - (isIpv6 ? ipv6.LEN : ipv4.LEN);
    const outerAt = ipAt - ethernet.LEN;
    const [sourceAt, destinationAt] = [(record + DATAGRAM.source) * 4, (record + DATAGRAM.destination) * 4];
    b.fill(0, outerAt, ipAt);
    put16(b, outerAt + ethernet.TYPE, isIpv6 ? ethernet.TYPE_IPV6 : ethernet.TYPE_IPV4);
    udp.write(b, udpAt, records[record + DATAGRAM.sourcePort], this.#options.port, udp.LEN + length);
    if (isIpv6) {
      const src = b.subarray(sourceAt, sourceAt + ipv6.ADDRESS_LEN);
      const dst = b.subarray(destinationAt, destinationAt + ipv6.ADDRESS_LEN);
      ipv6.write(b, ipAt, { payloadLength: udp.LEN + length, nextHeader: ipv4.PROTOCOL_UDP, hopLimit: 64, src, dst });
      udp.setChecksum6(b, ipAt, udpAt, at + length);
    } else {
      const view = new DataView(b.buffer, b.byteOffset);
      ipv4.write(b, ipAt, {
        totalLength: ipv4.LEN + udp.LEN + length,
        id: 0,
        flagsAndOffset: 0,
        ttl: 64,
        protocol: ipv4.PROTOCOL_UDP,
        src: view.getUint32(sourceAt),
        dst: view.getUint32(destinationAt),
      });
      udp.setChecksum4(b, ipAt, udpAt, at + length);
    }
    frame.outer = b;
    frame.outerAt = outerAt;
    frame.outerLength = at + length - outerAt;
    frame.outerOriginalLength = frame.outerLength;
  }
}
