/** What is known about frames by the bytes that say it: the same bytes give the same Origin, found without making anything. */
import { formatAddress } from '../wire/addr.js';
import { equal } from '../wire/bytes.js';
import { ACTION, FLAGS_LEN, type MirrorMetadata } from '../wire/mirror-metadata.js';
import { formatComment, kindOf, type Said } from './comment.js';
import { DIRECTION, type CaptureInterface, type Direction, type Origin } from './frame.js';
import type { InterfaceStatistics } from './statistics.js';

/** Origins that are remembered; metadata that never repeats makes them forgotten and made again. */
const ORIGINS_MAX = 65_536;
/** Interfaces with a name of their own; frames of any further are those of one interface without network and host. */
const INTERFACES_MAX = 4096;
const BUCKETS = 16_384;

interface Known {
  readonly hash: number;
  readonly key: Uint8Array;
  readonly origin: Origin;
  readonly next: Known | null;
}

/** Bytes that say where frames are from. Who looks an origin up gathers them here: metadata, source address, port, input. */
export class OriginKey {
  // The longest metadata has 540 bytes.
  readonly bytes = new Uint8Array(640);
  length = 0;

  clear(): void {
    this.length = 0;
  }

  add(b: Uint8Array, at: number, n: number): void {
    for (let i = 0; i < n; i++) this.bytes[this.length + i] = b[at + i];
    this.length += n;
  }

  add16(value: number): void {
    this.bytes[this.length] = value >>> 8;
    this.bytes[this.length + 1] = value;
    this.length += 2;
  }
}

export class Origins {
  /** By index. */
  readonly interfaces: InterfaceStatistics[] = [];
  readonly #analyzerName: string;
  readonly #buckets: (Known | null)[] = new Array<Known | null>(BUCKETS).fill(null);
  #count = 0;
  readonly #interfacesByName = new Map<string, CaptureInterface>();

  /** @param analyzerName stands in the description of every interface */
  constructor(analyzerName: string) {
    this.#analyzerName = analyzerName;
  }

  /** The origin of this key; undefined: it is not known, `add` makes it known. */
  find(key: OriginKey): Origin | undefined {
    const hash = hashOf(key);
    for (let known = this.#buckets[hash & (BUCKETS - 1)]; known !== null; known = known.next) {
      if (known.hash === hash && known.key.length === key.length && equal(known.key, 0, key.bytes, 0, key.length)) {
        return known.origin;
      }
    }
    return undefined;
  }

  add(key: OriginKey, input: number, said: Said): Origin {
    if (this.#count >= ORIGINS_MAX) {
      this.#buckets.fill(null);
      this.#count = 0;
    }
    const origin = this.make(input, said);
    const hash = hashOf(key);
    const bucket = hash & (BUCKETS - 1);
    this.#buckets[bucket] = { hash, key: key.bytes.slice(0, key.length), origin, next: this.#buckets[bucket] };
    this.#count++;
    return origin;
  }

  /** An origin that is not remembered. */
  make(input: number, said: Said): Origin {
    return { ...said, interface: this.#interfaceOf(input, said), comment: formatComment(said) };
  }

  #interfaceOf(input: number, said: Said): CaptureInterface {
    const wanted = {
      network: networkOf(said),
      host: said.host,
      kind: said.kind,
      description: this.#describe(said.port, said.kind),
    };
    const known = this.#interfacesByName.get(nameOf(input, wanted));
    if (known !== undefined) return known;
    const isFull = this.interfaces.length >= INTERFACES_MAX;
    // The same for all of them: what is told of further ones takes no more memory.
    const rest = { network: '', host: '', kind: 'none', description: this.#describe(0, 'none') } as const;
    const described = isFull ? rest : wanted;
    return this.#interfacesByName.get(nameOf(input, described)) ?? this.#addInterface(input, described);
  }

  #describe(port: number, kind: Said['kind']): string {
    return `analyzer=${this.#analyzerName} port=${port} kind=${kind}`;
  }

  #addInterface(input: number, described: Omit<CaptureInterface, 'index' | 'name' | 'input'>): CaptureInterface {
    const { network, host } = described;
    const name = [network, host].filter((part) => part !== '').join('@');
    const made = { ...described, index: this.interfaces.length, name: name === '' ? 'unknown' : name, input };
    this.#interfacesByName.set(nameOf(input, described), made);
    this.interfaces.push({ interface: made, packets: [0, 0, 0], bytes: [0, 0, 0] });
    return made;
  }
}

const nameOf = (
  input: number,
  { network, host, description }: Omit<CaptureInterface, 'index' | 'name' | 'input'>,
): string => [input, description, host, network].join(' ');

/** FNV-1a of the key, 32 bits. */
function hashOf({ bytes, length }: OriginKey): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i], 0x0100_0193);
  return hash ^ (hash >>> 15);
}

/** The network of the guest that is mirrored: the source of what it sends, the destination of what it is sent. */
function networkOf({ direction, sourceNetwork, destinationNetwork }: Said): string {
  const own = direction === DIRECTION.egress ? destinationNetwork : sourceNetwork;
  return own ?? sourceNetwork ?? destinationNetwork ?? '';
}

const nameIn = (b: Uint8Array, at: number, length: number): string | null =>
  at < 0 ? null : Buffer.from(b.buffer, b.byteOffset + at, length).toString('utf8');

/** What metadata says of a frame that came from `source`, an address as text, to a UDP port. */
export function readMetadata(b: Uint8Array, metadata: MirrorMetadata, source: string, port: number): Said {
  const { hostAt, hostLen, flags, flagsLen } = metadata;
  const sourceNetwork = nameIn(b, metadata.sourceAt, metadata.sourceLen);
  const destinationNetwork = nameIn(b, metadata.destinationAt, metadata.destinationLen);
  return {
    format: 'tlv',
    kind: kindOf(flags, sourceNetwork !== null || destinationNetwork !== null),
    direction: directionOf(flagsLen < FLAGS_LEN ? -1 : flags, sourceNetwork !== null, destinationNetwork !== null),
    host: hostAt < 0 ? source : formatAddress(b.subarray(hostAt, hostAt + hostLen)),
    sourceNetwork,
    destinationNetwork,
    flags,
    identifier: null,
    port,
  };
}

/** By the flags, where those are whole (-1: not); else by which of the networks is said. */
function directionOf(flags: number, hasSource: boolean, hasDestination: boolean): Direction {
  if (flags >= 0) return (flags & ACTION.ingress) === 0 ? DIRECTION.egress : DIRECTION.ingress;
  if (hasSource === hasDestination) return DIRECTION.unknown;
  return hasSource ? DIRECTION.ingress : DIRECTION.egress;
}
