import { endianness } from 'node:os';

/** A network interface as the kernel tells it. */
export interface Link {
  readonly ifindex: number;
  readonly name: string;
  /** IFF_ bits, see netdevice(7). */
  readonly flags: number;
  /** Administratively up. */
  readonly up: boolean;
  /** The lower layer is there: a cable, an open TAP, a veth peer that is up. */
  readonly carrier: boolean;
  /** Up and able to carry frames (operational state up or unknown). */
  readonly operUp: boolean;
  readonly mtu: number;
  /** MAC address in hexadecimal with colons; empty when the interface has none. */
  readonly address: string;
  /** What `ip link set alias` keeps with it. */
  readonly alias: string;
  /** Kind of a virtual interface, `veth`, `tun` (a TAP too), `bridge`; empty for hardware and loopback. */
  readonly kind: string;
  /** Index of the other end of a veth, in the namespace of that end; otherwise 0. */
  readonly peer: number;
}

/** What one datagram says about links. */
export interface LinkMessages {
  readonly changes: { readonly type: 'newlink' | 'dellink'; readonly link: Link }[];
  /** The end of a dump. */
  readonly done: boolean;
  /** The kernel says that the list changed while it was read: it may lack a link or tell one twice. */
  readonly interrupted: boolean;
  /** Positive errno of the kernel's refusal, or 0. */
  readonly error: number;
}

// Numbers of netlink(7) and rtnetlink(7). Fields are in the byte order of the host.
const LITTLE_ENDIAN = endianness() === 'LE';
/** struct nlmsghdr. */
export const HEADER_LEN = 16;
const INFO_LEN = 16;
const ATTRIBUTE_LEN = 4;
const TYPE = { error: 2, done: 3, newLink: 16, delLink: 17, getLink: 18, newStats: 92, getStats: 94 } as const;
const FLAG = { request: 0x001, interrupted: 0x010, dump: 0x300 } as const;
const ATTRIBUTE = { address: 1, name: 3, mtu: 4, link: 5, linkInfo: 18, alias: 20, extendedMask: 29 } as const;
const LINK_INFO_KIND = 1;
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const SKIP_STATISTICS = 8;
/** struct if_stats_msg, and the attribute with a struct rtnl_link_stats64, whose eighth word is tx_dropped. */
const STATS_LEN = 12;
const STATS_LINK_64 = 1;
const TX_DROPPED_AT = 7 * 8;
const IFF = { up: 0x1, running: 0x40, lowerUp: 0x10000 } as const;

const align = (length: number): number => (length + 3) & ~3;

/**
 * Reads the messages of one datagram. Only complete messages inside `bytes` are looked at; a length that makes no sense ends the
 * reading. Messages of other families (a bridge telling of its ports) are not about links and skipped.
 */
export function readLinkMessages(bytes: Uint8Array): LinkMessages {
  const changes: LinkMessages['changes'] = [];
  let done = false;
  let interrupted = false;
  let error = 0;
  for (const message of messages(bytes)) {
    const { type, body, end } = message;
    if (message.isInterrupted) interrupted = true;
    if (message.isDone) done = true;
    error = errorOf(message) ?? error;
    if (type === TYPE.newLink || type === TYPE.delLink) {
      const link = readLink(message.view, body, end);
      if (link) changes.push({ type: type === TYPE.newLink ? 'newlink' : 'dellink', link });
    }
  }
  return { changes, done, interrupted, error };
}

/** A message of a datagram, its content in [body, end). */
interface Message {
  readonly view: DataView;
  readonly type: number;
  /** The kernel says that the list changed while it was read. */
  readonly isInterrupted: boolean;
  /** The end of a dump. */
  readonly isDone: boolean;
  readonly body: number;
  readonly end: number;
}

/** The complete messages inside `bytes`; a length that makes no sense ends them. */
export function* messages(bytes: Uint8Array): Generator<Message> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER_LEN <= bytes.length;) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    const end = at + length;
    if (length < HEADER_LEN || end > bytes.length) return;
    const type = view.getUint16(at + 4, LITTLE_ENDIAN);
    const isInterrupted = (view.getUint16(at + 6, LITTLE_ENDIAN) & FLAG.interrupted) !== 0;
    yield { view, type, isInterrupted, isDone: type === TYPE.done, body: at + HEADER_LEN, end };
    at += align(length);
  }
}

/** The positive errno of a refusal, or 0 where a message of these types tells success. */
export function errorOf({ view, type, body, end }: Message): number | undefined {
  const hasCode = (type === TYPE.error || type === TYPE.done) && end - body >= 4;
  return hasCode ? 0 - view.getInt32(body, LITTLE_ENDIAN) : undefined;
}

/** The link that the ifinfomsg in [at, end) tells of. */
function readLink(view: DataView, at: number, end: number): Link | undefined {
  const isLink = at + INFO_LEN <= end && view.getUint8(at) === 0;
  if (!isLink) return undefined;
  const flags = view.getUint32(at + 8, LITTLE_ENDIAN);
  const link = {
    ifindex: view.getInt32(at + 4, LITTLE_ENDIAN),
    name: '',
    flags,
    up: (flags & IFF.up) !== 0,
    carrier: (flags & IFF.lowerUp) !== 0,
    operUp: (flags & IFF.running) !== 0,
    mtu: 0,
    address: '',
    alias: '',
    kind: '',
    peer: 0,
  };
  for (const [type, value] of attributes(view, at + INFO_LEN, end)) {
    const word = (): number => (value.byteLength >= 4 ? value.getUint32(0, LITTLE_ENDIAN) : 0);
    if (type === ATTRIBUTE.name) link.name = zeroTerminated(value);
    if (type === ATTRIBUTE.alias) link.alias = zeroTerminated(value);
    if (type === ATTRIBUTE.mtu) link.mtu = word();
    if (type === ATTRIBUTE.link) link.peer = word();
    if (type === ATTRIBUTE.address)
      link.address = bytesOf(value)
        .toString('hex')
        .replace(/..(?=.)/g, '$&:');
    if (type !== ATTRIBUTE.linkInfo) continue;
    for (const [infoType, info] of attributes(value, 0, value.byteLength)) {
      if (infoType === LINK_INFO_KIND) link.kind = zeroTerminated(info);
    }
  }
  return link;
}

/** The attributes in [at, end): type and value of each. A length that makes no sense ends the reading. */
export function* attributes(view: DataView, at: number, end: number): Generator<readonly [number, DataView]> {
  while (at + ATTRIBUTE_LEN <= end) {
    const length = view.getUint16(at, LITTLE_ENDIAN);
    if (length < ATTRIBUTE_LEN || at + length > end) return;
    const type = view.getUint16(at + 2, LITTLE_ENDIAN) & ATTRIBUTE_TYPE_MASK;
    yield [type, new DataView(view.buffer, view.byteOffset + at + ATTRIBUTE_LEN, length - ATTRIBUTE_LEN)];
    at += align(length);
  }
}

/** The same memory. */
export const bytesOf = (view: DataView): Buffer =>
  Buffer.from(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);

function zeroTerminated(view: DataView): string {
  const bytes = bytesOf(view);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** The request for all links, without their statistics. */
export function linkDumpRequest(): Uint8Array {
  const view = request(TYPE.getLink, FLAG.dump, INFO_LEN + ATTRIBUTE_LEN + 4);
  const attribute = HEADER_LEN + INFO_LEN;
  view.setUint16(attribute, ATTRIBUTE_LEN + 4, LITTLE_ENDIAN);
  view.setUint16(attribute + 2, ATTRIBUTE.extendedMask, LITTLE_ENDIAN);
  view.setUint32(attribute + ATTRIBUTE_LEN, SKIP_STATISTICS, LITTLE_ENDIAN);
  return bytesOf(view);
}

/** The request for the statistics of one link. */
export function linkStatisticsRequest(ifindex: number): Uint8Array {
  const view = request(TYPE.getStats, 0, STATS_LEN);
  view.setUint32(HEADER_LEN + 4, ifindex, LITTLE_ENDIAN);
  view.setUint32(HEADER_LEN + 8, 1 << (STATS_LINK_64 - 1), LITTLE_ENDIAN);
  return bytesOf(view);
}

/** What a datagram answers to it: how many frames the link dropped instead of sending them, or the positive errno of a refusal. */
export function readSendDrops(bytes: Uint8Array): { readonly drops?: number; readonly error: number } {
  for (const message of messages(bytes)) {
    const error = errorOf(message);
    if (error) return { error };
    if (message.type !== TYPE.newStats) continue;
    for (const [type, value] of attributes(message.view, message.body + STATS_LEN, message.end)) {
      if (type !== STATS_LINK_64 || value.byteLength < TX_DROPPED_AT + 8) continue;
      return { drops: Number(value.getBigUint64(TX_DROPPED_AT, LITTLE_ENDIAN)), error: 0 };
    }
  }
  return { error: 0 };
}

/** Bytes that attributes with values of these lengths take. */
export const attributesLen = (...lengths: readonly number[]): number =>
  lengths.reduce((sum, length) => sum + align(ATTRIBUTE_LEN + length), 0);

/** Writes an attribute; returns where the next one begins. */
export function putAttribute(view: DataView, at: number, type: number, value: Uint8Array): number {
  view.setUint16(at, ATTRIBUTE_LEN + value.length, LITTLE_ENDIAN);
  view.setUint16(at + 2, type, LITTLE_ENDIAN);
  bytesOf(view).set(value, at + ATTRIBUTE_LEN);
  return at + align(ATTRIBUTE_LEN + value.length);
}

/** A request with room for `bodyLen` bytes behind the header. */
export function request(type: number, flags: number, bodyLen: number): DataView {
  const view = new DataView(new ArrayBuffer(HEADER_LEN + bodyLen));
  view.setUint32(0, view.byteLength, LITTLE_ENDIAN);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, FLAG.request | flags, LITTLE_ENDIAN);
  return view;
}
