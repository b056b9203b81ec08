const ETHERNET = 1;
const SNAP_LENGTH = 65_535;

/**
 * A capture file of Ethernet frames, a millisecond apart (the classic format of libpcap, draft-ietf-opsawg-pcap).
 * `snapLengths` are bytes of each frame that are kept [all].
 */
export function pcapFile(frames: readonly Uint8Array[], snapLengths: readonly number[] = []): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SNAP_LENGTH, 16);
  header.writeUInt32LE(ETHERNET, 20);
  const records = frames.flatMap((frame, i) => {
    const kept = frame.subarray(0, snapLengths.at(i));
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000, 0);
    record.writeUInt32LE(i * 1000, 4);
    record.writeUInt32LE(kept.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, kept];
  });
  return Buffer.concat([header, ...records]);
}
