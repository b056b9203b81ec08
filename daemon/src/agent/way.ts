/** How packets reach another host on the underlay, as the kernel's tables say. */
export interface Way {
  /** Our address packets go out with. */
  readonly source: string;
  /** Ethernet header of frames to it, 14 bytes in hex without separators; empty while its neighbour's MAC is asked for. */
  readonly rewrite: string;
  /** Largest IP packet that passes, bytes. */
  readonly mtu: number;
}

/** The underlay as the kernel knows it, followed by events. */
export interface Underlay {
  /** The way to an address; null: there is none through the underlay interface. */
  wayTo(address: string): Way | null;
  /** Keeps the ways to these addresses known, and no others. */
  follow(addresses: ReadonlySet<string>): void;
  /** Calls back when the way to followed addresses changed. */
  onChange(listener: (addresses: readonly string[]) => void): void;
}
