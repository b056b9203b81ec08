import type { CaptureInterface } from './frame.js';

/** Why a datagram that should carry a mirrored frame does not. The text is what is shown. */
export const MALFORMED = {
  noEnd: 'metadata without end',
  unknownType: 'metadata of an unknown type',
  duplicate: 'metadata given twice',
  badLength: 'metadata of an illegal length',
  noFrame: 'less than an Ethernet header behind the metadata',
  shortHeader: 'shorter than the headers of its format',
  badHeader: 'headers that are none of its format',
  cut: 'cut on the way in',
  incomplete: 'fragments of which the rest never came',
} as const;
export type Malformed = keyof typeof MALFORMED;
export const MALFORMED_REASONS = Object.keys(MALFORMED) as readonly Malformed[];

/** Counters of one input. For a socket: datagrams sent to it = received + kernelDrops. */
export interface InputStatistics {
  /** `udp 0.0.0.0:8099`, `interface eth1`, `file x.pcap`. */
  readonly name: string;
  /** Datagrams or frames read. */
  received: number;
  receivedBytes: number;
  /** What the kernel dropped for want of room. */
  kernelDrops: number;
  /** Mirrored frames found. */
  frames: number;
  /** Sniffed packets that are no mirrored frames. */
  others: number;
  /** Fragments that wait, or waited in vain, for the rest of their datagram. */
  fragments: number;
  readonly malformed: Record<Malformed, number>;
}

export const newInputStatistics = (name: string): InputStatistics => ({
  name,
  received: 0,
  receivedBytes: 0,
  kernelDrops: 0,
  frames: 0,
  others: 0,
  fragments: 0,
  malformed: Object.fromEntries(MALFORMED_REASONS.map((reason) => [reason, 0])) as Record<Malformed, number>,
});

/** Counters of one interface of the capture. */
export interface InterfaceStatistics {
  readonly interface: CaptureInterface;
  /** By direction: unknown, ingress, egress. Of all frames, filtered ones included. */
  readonly packets: [number, number, number];
  readonly bytes: [number, number, number];
}

/** Everything counted in a session. */
export interface Statistics {
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly inputs: readonly InputStatistics[];
  /** By index of the interface. */
  readonly interfaces: readonly InterfaceStatistics[];
  /** Frames the filters kept from the sinks. */
  filtered: number;
  /** Frames the sinks got. */
  delivered: number;
}
