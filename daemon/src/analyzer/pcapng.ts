/**
 * Blocks and options of pcapng files (IETF draft-ietf-opsawg-pcapng). Every block repeats its length at its end and fills up to 4 bytes.
 *    0           4               8                                   n-4         n
 *    +-----------+---------------+- - - - - - - - - - - - - - - - - -+-----------+
 *    | type      | total length n| body, options, padding            | length n  |
 *    +-----------+---------------+- - - - - - - - - - - - - - - - - -+-----------+
 */
export const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  /** Obsolete form of a packet. */
  packet: 2,
  simplePacket: 3,
  statistics: 5,
  enhancedPacket: 6,
} as const;

/** In the byte order of the writer. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const LINKTYPE_ETHERNET = 1;

export const OPTION = {
  end: 0,
  comment: 1,
  section: { hardware: 2, os: 3, application: 4 },
  interface: { name: 2, description: 3, timeResolution: 9, filter: 11, os: 12, timeOffset: 14 },
  packet: { flags: 2, dropCount: 4, packetId: 5 },
  statistics: { startTime: 2, endTime: 3, received: 4, dropped: 5, osDropped: 7, delivered: 8 },
} as const;

/** Exponent of the resolution of our time stamps. */
export const NANOSECONDS = 9;

/** Bytes of block head and tail around the body. */
export const HEAD_LEN = 8;
export const TAIL_LEN = 4;

export const padded = (length: number): number => (length + 3) & ~3;
