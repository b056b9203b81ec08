/**
 * virtio-net header, 10 bytes, little-endian, without num_buffers (virtio 1.2 section 5.1.6; linux/virtio_net.h).
 *    0       1       2               4               6               8               10
 *    +-------+-------+---------------+---------------+---------------+---------------+
 *    | flags | gso   | header length | gso size      | csum start    | csum offset   |
 *    +-------+-------+---------------+---------------+---------------+---------------+
 * It lies directly in front of the Ethernet header; checksum start counts from that, checksum offset from the checksum start.
 */

export const LEN = 10;
const GSO_TYPE = 1;
const HDR_LEN = 2;
const GSO_SIZE = 4;
const CSUM_START = 6;
const CSUM_OFFSET = 8;

/** Flag: the field at start + offset holds the pseudo-header sum only; who sends the frame out completes it. */
export const NEEDS_CSUM = 1;
/** Flag: the checksum was verified. */
export const DATA_VALID = 2;

/** Not a super-frame. */
export const GSO_NONE = 0;
/** TCP over IPv4. */
export const GSO_TCPV4 = 1;
/** UDP fragmentation (UFO). */
export const GSO_UDP = 3;
/** TCP over IPv6. */
export const GSO_TCPV6 = 4;
/** UDP segmentation (USO), over IPv4 or IPv6. */
export const GSO_UDP_L4 = 5;
/** Set besides the type: TCP with ECN, so CWR belongs to the first segment only. */
export const GSO_ECN = 0x80;

const getLe = (b: Uint8Array, at: number): number => b[at] | (b[at + 1] << 8);
const putLe = (b: Uint8Array, at: number, value: number): void => {
  b[at] = value;
  b[at + 1] = value >>> 8;
};

/** NEEDS_CSUM, DATA_VALID. */
export const flags = (b: Uint8Array, at: number): number => b[at];
/** GSO_NONE or the kind of super-frame, perhaps with GSO_ECN. */
export const gsoType = (b: Uint8Array, at: number): number => b[at + GSO_TYPE];
/** Length of Ethernet, IP and transport headers of a super-frame: a hint. */
export const hdrLen = (b: Uint8Array, at: number): number => getLe(b, at + HDR_LEN);
/** Payload bytes of each segment but the last. */
export const gsoSize = (b: Uint8Array, at: number): number => getLe(b, at + GSO_SIZE);
/** Where the checksummed range begins, from the Ethernet header. It reaches to the end of the frame. */
export const csumStart = (b: Uint8Array, at: number): number => getLe(b, at + CSUM_START);
/** Where the checksum goes, from the checksum start. */
export const csumOffset = (b: Uint8Array, at: number): number => getLe(b, at + CSUM_OFFSET);

/** Makes the header say nothing: no super-frame, all checksums complete. */
export function clear(b: Uint8Array, at: number): void {
  for (let i = 0; i < LEN; i++) b[at + i] = 0;
}

/** Writes flags. */
export function setFlags(b: Uint8Array, at: number, value: number): void {
  b[at] = value;
}

/** Writes the kind of super-frame and the payload bytes of its segments. */
export function setGso(b: Uint8Array, at: number, gso: number, headerLength: number, size: number): void {
  b[at + GSO_TYPE] = gso;
  putLe(b, at + HDR_LEN, headerLength);
  putLe(b, at + GSO_SIZE, size);
}

/** Writes where the checksummed range begins and where in it the checksum goes. */
export function setCsum(b: Uint8Array, at: number, start: number, offset: number): void {
  putLe(b, at + CSUM_START, start);
  putLe(b, at + CSUM_OFFSET, offset);
}
