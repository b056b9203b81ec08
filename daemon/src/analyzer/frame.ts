/** What the analyzer passes from its inputs to its outputs: a mirrored frame, and what is known about where it came from. */

/** From the view of the vRouter: `ingress` is what a guest sends, `egress` what it is sent. The numbers are those of pcapng flags. */
export const DIRECTION = { unknown: 0, ingress: 1, egress: 2 } as const;
export type Direction = (typeof DIRECTION)[keyof typeof DIRECTION];
export const DIRECTION_NAMES = ['unknown', 'ingress', 'egress'] as const;

/** How a frame was wrapped on its way to the analyzer. */
export const FORMATS = ['tlv', 'jmirror', 'vxlan', 'erspan', 'teb', 'raw'] as const;
export type Format = (typeof FORMATS)[number];

/** What mirrors the frame: a port, a policy on its flow; nothing tells. */
type Kind = 'port' | 'flow' | 'none';

/** An interface of a capture: frames of one network, host, kind and input. */
export interface CaptureInterface {
  /** Counts from 0 in the order of first frames, over all of a session. */
  readonly index: number;
  /** `<network>@<host>`; of frames without network only the host. */
  readonly name: string;
  /** `analyzer=<name> port=<udp port> kind=<kind>`. */
  readonly description: string;
  /** Full name of the network; '' when not known. */
  readonly network: string;
  readonly host: string;
  readonly kind: Kind;
  /** Of the Input: whose kernel drops concern this interface. */
  readonly input: number;
}

/**
 * What the metadata of a frame says. Frames with the same metadata from the same source share one object, so that what is made of
 * it (a comment, an interface) is made once and found again by identity.
 */
export interface Origin {
  readonly format: Format;
  readonly kind: Kind;
  readonly direction: Direction;
  /** Address of the capturing host, or else the source of the datagram; '' when neither is known. */
  readonly host: string;
  /** Full names of networks; null when not said. */
  readonly sourceNetwork: string | null;
  readonly destinationNetwork: string | null;
  /** Bits of wire/mirror-metadata ACTION; -1: not said. */
  readonly flags: number;
  /** Network identifier of VXLAN, mirror and session of jmirror `7/9`, session of ERSPAN; null without. */
  readonly identifier: string | null;
  /** UDP port it came to, 0 without. */
  readonly port: number;
  readonly interface: CaptureInterface;
  /** The fields above by the grammar of comment.ts. */
  readonly comment: string;
}

/** A mirrored frame. One object serves all frames: everything in it, bytes included, holds only until the sink returns. */
export class Frame {
  /** The frame, from its Ethernet header, is [at, at + length). */
  bytes: Uint8Array = NO_BYTES;
  at = 0;
  length = 0;
  /** Bytes it had before anything cut it. */
  originalLength = 0;
  /** When it was received: seconds since 1970, and nanoseconds. */
  seconds = 0;
  nanoseconds = 0;
  origin: Origin = NO_ORIGIN;
  /** The packet that carried it, from its Ethernet header: [outerAt, outerAt + outerLength) of `outer`; length 0: not known. */
  outer: Uint8Array = NO_BYTES;
  outerAt = 0;
  outerLength = 0;
  outerOriginalLength = 0;
}

const NO_BYTES = new Uint8Array(0);
const NO_ORIGIN: Origin = {
  format: 'raw',
  kind: 'none',
  direction: DIRECTION.unknown,
  host: '',
  sourceNetwork: null,
  destinationNetwork: null,
  flags: -1,
  identifier: null,
  port: 0,
  interface: { index: 0, name: '', description: '', network: '', host: '', kind: 'none', input: 0 },
  comment: '',
};
