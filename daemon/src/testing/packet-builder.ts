import ipaddr from 'ipaddr.js';

/*
 * Frames for tests. Nothing here is shared with the encoders under test: layers are lists of bytes, built from the inside out, and
 * everything a layer can work out itself (lengths, checksums, protocol numbers) it does, unless the test says otherwise.
 *
 *     eth({ src: '02:00:00:00:00:01', dst: 'ff:ff:ff:ff:ff:ff' }).ipv4({ src: '10.0.0.1', dst: '10.0.0.2' }).udp(68, 67).bytes()
 */

type Bytes = readonly number[];

/** What announces a payload that is no header. */
const NOTHING = 0xffff;

/** One header, and how it encodes itself around what is inside. */
interface Layer {
  /** By which number the layer outside announces it: EtherType behind Ethernet and VLAN, protocol behind IP. */
  readonly type?: number;
  /** Pseudo header for the checksum of an upper layer; only IP has one. */
  readonly pseudo?: (protocol: number, length: number) => Bytes;
  readonly encode: (inner: Bytes, announces: number, outer: readonly Layer[]) => Bytes;
}

/** A checksum field: a value, or 'partial' for the sum of the pseudo header alone, which an offload leaves to others. */
type ChecksumField = number | 'partial';

interface Ipv4Options {
  src: string;
  dst: string;
  ttl?: number;
  tos?: number;
  id?: number;
  df?: boolean;
  mf?: boolean;
  /** Of the fragment, bytes. */
  fragmentOffset?: number;
  /** Option bytes, a multiple of 4. */
  options?: Bytes;
  protocol?: number;
  version?: number;
  /** Header length, words. */
  ihl?: number;
  totalLength?: number;
  checksum?: number;
}

interface Ipv6Options {
  src: string;
  dst: string;
  hopLimit?: number;
  trafficClass?: number;
  flowLabel?: number;
  nextHeader?: number;
  payloadLength?: number;
  version?: number;
}

interface TcpOptions {
  seq?: number;
  ack?: number;
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 0x10, URG 0x20, ECE 0x40, CWR 0x80. */
  flags?: number;
  window?: number;
  /** Option bytes, a multiple of 4. */
  options?: Bytes;
  /** Header length, words. */
  dataOffset?: number;
  checksum?: ChecksumField;
}

interface IcmpOptions {
  type: number;
  code?: number;
  /** Bytes 4 to 8 of the message. */
  rest?: Bytes;
  checksum?: number;
}

interface DhcpOptions {
  /** Value of the message type option: 1 DISCOVER, 3 REQUEST, 7 RELEASE ... */
  type: number;
  mac: string;
  xid?: number;
  broadcast?: boolean;
  ciaddr?: string;
  giaddr?: string;
  /** Option 50. */
  requested?: string;
  /** Option 54. */
  serverId?: string;
  /** More options, encoded, in front of the end. */
  options?: Bytes;
  op?: number;
}

/** Starts a frame. */
export function eth(o: { src: string; dst: string; type?: number }): PacketBuilder {
  return new PacketBuilder({
    encode: (inner, announces) => [...mac(o.dst), ...mac(o.src), ...u16(o.type ?? announces), ...inner],
  });
}

/** A frame in the making; every method adds the next layer inwards. */
export class PacketBuilder {
  readonly #layers: Layer[] = [];

  constructor(first: Layer) {
    this.#layers.push(first);
  }

  /** VLAN tag; `tpid` announces it, 0x8100 or 0x88a8. */
  vlan(id: number, { pcp = 0, tpid = 0x8100 } = {}): this {
    return this.#add({
      type: tpid,
      encode: (inner, announces) => [...u16((pcp << 13) | id), ...u16(announces), ...inner],
    });
  }

  arp(o: {
    op: number;
    senderMac: string;
    senderIp: string;
    targetMac?: string;
    targetIp: string;
    htype?: number;
  }): this {
    return this.#add({
      type: 0x0806,
      encode: (inner) => [
        ...[...u16(o.htype ?? 1), 0x08, 0x00, 6, 4, ...u16(o.op)],
        ...[...mac(o.senderMac), ...ip(o.senderIp), ...mac(o.targetMac ?? '0:0:0:0:0:0'), ...ip(o.targetIp)],
        ...inner,
      ],
    });
  }

  ipv4(o: Ipv4Options): this {
    return this.#add({
      type: 0x0800,
      pseudo: (protocol, length) => [...ip(o.src), ...ip(o.dst), 0, protocol, ...u16(length)],
      encode(inner, announces) {
        const options = o.options ?? [];
        const words = 5 + options.length / 4;
        const fragment = (o.df ? 0x4000 : 0) | (o.mf ? 0x2000 : 0) | ((o.fragmentOffset ?? 0) >> 3);
        const head = (checksum: number): number[] => [
          ...[
            ((o.version ?? 4) << 4) | (o.ihl ?? words),
            o.tos ?? 0,
            ...u16(o.totalLength ?? words * 4 + inner.length),
          ],
          ...[...u16(o.id ?? 0), ...u16(fragment), o.ttl ?? 64, o.protocol ?? announces, ...u16(checksum)],
          ...[...ip(o.src), ...ip(o.dst), ...options],
        ];
        return head(o.checksum ?? internetChecksum(head(0))).concat(inner);
      },
    });
  }

  ipv6(o: Ipv6Options): this {
    return this.#add({
      type: 0x86dd,
      pseudo: (protocol, length) => [...ip(o.src), ...ip(o.dst), ...u32(length), 0, 0, 0, protocol],
      encode: (inner, announces) => [
        ...u32((o.version ?? 6) * 2 ** 28 + (o.trafficClass ?? 0) * 2 ** 20 + (o.flowLabel ?? 0)),
        ...[...u16(o.payloadLength ?? inner.length), o.nextHeader ?? announces, o.hopLimit ?? 64],
        ...[...ip(o.src), ...ip(o.dst), ...inner],
      ],
    });
  }

  /** IPv6 extension header of 8, 16 ... bytes: 0 hop-by-hop, 43 routing, 60 destination options; `data` fills it up to length. */
  extension(type: number, data: Bytes = [1, 4, 0, 0, 0, 0], units?: number): this {
    return this.#add({
      type,
      encode: (inner, announces) => [announces, units ?? (data.length + 2) / 8 - 1, ...data, ...inner],
    });
  }

  /** IPv6 fragment header; the offset in bytes. */
  fragment6(o: { offset?: number; more?: boolean; id?: number }): this {
    return this.#add({
      type: 44,
      encode: (inner, announces) => [
        announces,
        0,
        ...u16((o.offset ?? 0) | (o.more ? 1 : 0)),
        ...u32(o.id ?? 0),
        ...inner,
      ],
    });
  }

  udp(src: number, dst: number, o: { length?: number; checksum?: ChecksumField } = {}): this {
    return this.#add({
      type: 17,
      encode(inner, _announces, outer) {
        const length = o.length ?? 8 + inner.length;
        const head = (checksum: number): number[] => [...u16(src), ...u16(dst), ...u16(length), ...u16(checksum)];
        return head(
          o.checksum === 0 ? 0 : upperChecksum(o.checksum, 17, head(0).concat(inner), outer) || 0xffff,
        ).concat(inner);
      },
    });
  }

  /** GRE header; `checksum` says that there is one (a number: a wrong one), `flags` are further bits of the first 16. */
  gre(o: { checksum?: boolean | number; key?: number; flags?: number; type?: number } = {}): this {
    return this.#add({
      type: 47,
      encode(inner, announces) {
        const flags = (o.checksum === undefined ? 0 : 0x8000) | (o.key === undefined ? 0 : 0x2000) | (o.flags ?? 0);
        const key = o.key === undefined ? [] : u32(o.key);
        const head = (checksum: number): Bytes => [
          ...[...u16(flags), ...u16(o.type ?? announces)],
          ...(o.checksum === undefined ? [] : [...u16(checksum), 0, 0]),
          ...key,
        ];
        const checksum = typeof o.checksum === 'number' ? o.checksum : internetChecksum(head(0).concat(inner));
        return head(checksum).concat(inner);
      },
    });
  }

  /** Entry of an MPLS label stack. */
  mpls(label: number, o: { tc?: number; bottom?: boolean; ttl?: number } = {}): this {
    return this.#add({
      type: 0x8847,
      encode: (inner) => [
        ...u32(label * 4096 + (o.tc ?? 0) * 512 + (o.bottom === false ? 0 : 256) + (o.ttl ?? 64)),
        ...inner,
      ],
    });
  }

  vxlan(vni: number, { flags = 0x08 } = {}): this {
    return this.#add({ encode: (inner) => [flags, 0, 0, 0, ...u32(vni * 256), ...inner] });
  }

  tcp(src: number, dst: number, o: TcpOptions = {}): this {
    return this.#add({
      type: 6,
      encode(inner, _announces, outer) {
        const options = o.options ?? [];
        const head = (checksum: number): number[] => [
          ...[...u16(src), ...u16(dst), ...u32(o.seq ?? 0), ...u32(o.ack ?? 0)],
          ...[(o.dataOffset ?? 5 + options.length / 4) << 4, o.flags ?? 0x10, ...u16(o.window ?? 65535)],
          ...[...u16(checksum), 0, 0, ...options],
        ];
        return head(upperChecksum(o.checksum, 6, head(0).concat(inner), outer)).concat(inner);
      },
    });
  }

  icmp(o: IcmpOptions): this {
    return this.#add({
      type: 1,
      encode(inner) {
        const head = (checksum: number): number[] => [
          o.type,
          o.code ?? 0,
          ...u16(checksum),
          ...(o.rest ?? [0, 0, 0, 0]),
        ];
        return head(o.checksum ?? internetChecksum(head(0).concat(inner))).concat(inner);
      },
    });
  }

  /** Echo request (8), or with type 0 its reply. */
  ping(o: { type?: number; ident: number; seq: number; checksum?: number }): this {
    return this.icmp({ ...o, type: o.type ?? 8, rest: [...u16(o.ident), ...u16(o.seq)] });
  }

  icmpv6(o: IcmpOptions): this {
    return this.#add({
      type: 58,
      encode(inner, _announces, outer) {
        const head = (checksum: number): number[] => [
          o.type,
          o.code ?? 0,
          ...u16(checksum),
          ...(o.rest ?? [0, 0, 0, 0]),
        ];
        return head(upperChecksum(o.checksum, 58, head(0).concat(inner), outer)).concat(inner);
      },
    });
  }

  /** Echo request (128), or with type 129 its reply. */
  ping6(o: { type?: number; ident: number; seq: number; checksum?: number }): this {
    return this.icmpv6({ ...o, type: o.type ?? 128, rest: [...u16(o.ident), ...u16(o.seq)] });
  }

  routerSolicitation(o: { mac?: string; checksum?: number } = {}): this {
    return this.icmpv6({ ...o, type: 133 }).payload(o.mac === undefined ? [] : [1, 1, ...mac(o.mac)]);
  }

  neighbourSolicitation(o: { target: string; mac?: string; code?: number; checksum?: number }): this {
    return this.icmpv6({ ...o, type: 135 }).payload([
      ...ip(o.target),
      ...(o.mac === undefined ? [] : [1, 1, ...mac(o.mac)]),
    ]);
  }

  /** `flags`: 0x80 router, 0x40 solicited, 0x20 override. */
  neighbourAdvertisement(o: { target: string; mac?: string; flags?: number; checksum?: number }): this {
    const option = o.mac === undefined ? [] : [2, 1, ...mac(o.mac)];
    return this.icmpv6({ ...o, type: 136, rest: [o.flags ?? 0x20, 0, 0, 0] }).payload([...ip(o.target), ...option]);
  }

  /** Message of a DHCP client. */
  dhcp(o: DhcpOptions): this {
    const zero = '0.0.0.0';
    return this.payload([
      ...[o.op ?? 1, 1, 6, 0, ...u32(o.xid ?? 0x12345678), 0, 0, ...u16(o.broadcast ? 0x8000 : 0)],
      ...[...ip(o.ciaddr ?? zero), ...ip(zero), ...ip(zero), ...ip(o.giaddr ?? zero)],
      ...[...mac(o.mac), ...zeros(10 + 64 + 128), 99, 130, 83, 99],
      ...[53, 1, o.type],
      ...(o.requested === undefined ? [] : [50, 4, ...ip(o.requested)]),
      ...(o.serverId === undefined ? [] : [54, 4, ...ip(o.serverId)]),
      ...[...(o.options ?? []), 255],
    ]);
  }

  payload(data: ArrayLike<number>): this {
    return this.#add({ encode: (inner) => Array.from(data).concat(inner) });
  }

  /** The frame. */
  bytes(): Uint8Array {
    let inner: Bytes = [];
    let announces = NOTHING;
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const layer = this.#layers[i];
      inner = layer.encode(inner, announces, this.#layers.slice(0, i));
      announces = layer.type ?? NOTHING;
    }
    return Uint8Array.from(inner);
  }

  #add(layer: Layer): this {
    this.#layers.push(layer);
    return this;
  }
}

/** virtio-net header of 10 bytes, little-endian. */
export function vnetHeader(
  o: {
    flags?: number;
    gsoType?: number;
    hdrLen?: number;
    gsoSize?: number;
    csumStart?: number;
    csumOffset?: number;
  } = {},
): Uint8Array {
  const words = [o.hdrLen ?? 0, o.gsoSize ?? 0, o.csumStart ?? 0, o.csumOffset ?? 0];
  return Uint8Array.from([o.flags ?? 0, o.gsoType ?? 0, ...words.flatMap((word) => [word & 0xff, word >> 8])]);
}

/** One's complement of the one's-complement sum of 16-bit words, by the letter of RFC 1071. */
export function internetChecksum(data: ArrayLike<number>): number {
  return 0xffff - onesSum(data);
}

function onesSum(data: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) {
    sum += i % 2 === 0 ? data[i] * 256 : data[i];
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** Checksum of a message of an upper layer whose checksum field is 0, in the innermost IP packet around it. */
function upperChecksum(
  field: ChecksumField | undefined,
  protocol: number,
  message: Bytes,
  outer: readonly Layer[],
): number {
  if (typeof field === 'number') return field;
  const pseudo = outer.findLast((layer) => layer.pseudo)?.pseudo?.(protocol, message.length) ?? [];
  return field === 'partial' ? onesSum(pseudo) : internetChecksum(pseudo.concat(message));
}

const u16 = (n: number): Bytes => [(n >> 8) & 0xff, n & 0xff];
const u32 = (n: number): Bytes => [...u16(Math.floor(n / 0x10000)), ...u16(n % 0x10000)];
const zeros = (n: number): Bytes => new Array<number>(n).fill(0);
const mac = (text: string): Bytes => text.split(':').map((group) => parseInt(group, 16));
const ip = (text: string): Bytes => ipaddr.parse(text).toByteArray();
