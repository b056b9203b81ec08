import { RX, RX_BATCH } from '#vrouterd/io/device.js';
import {
  bridgedLabelOf,
  ipOf,
  macOf,
  NEXT_HOP_MAC,
  routedLabelOf,
  TestNetwork,
  UNDERLAY_MAC,
  VNI,
} from '#vrouterd/testing/network.js';
import { eth, type PacketBuilder, vnetHeader } from '#vrouterd/testing/packet-builder.js';
import { bench, runBenches } from './harness.js';

/** Frames of another host, run through the whole datapath on devices of memory, in full batches. */

const FAR = '8.8.8.8';
const FAR_MAC = '02:00:00:00:00:99';
const SEGMENTS = 40;
const DATA = 1400;

const outer = (): PacketBuilder =>
  eth({ src: NEXT_HOP_MAC, dst: UNDERLAY_MAC }).ipv4({ src: '192.168.200.22', dst: '192.168.200.11' });
const inside = (): PacketBuilder => eth({ src: FAR_MAC, dst: macOf(3) }).ipv4({ src: FAR, dst: ipOf(3), df: true });
const datagram = inside().udp(1000, 2000).payload(new Uint8Array(18)).bytes();

function arriving(name: string, frame: Uint8Array, vnet?: Uint8Array): void {
  const hosts = [{ peer: 2, encapsulation: 'MPLSoUDP', routes: [[FAR, 20]], macs: [[FAR_MAC, 57]] }] as const;
  const { dp, io } = new TestNetwork({ hosts });
  const frames = vnet === undefined ? RX_BATCH : 1;
  for (let i = 0; i < frames; i++) io.inject(0, frame, vnet);
  io.step(0);
  const starts = Array.from({ length: frames }, (_, i) => io.rx[i * RX.words + RX.at]);
  // The virtio-net header and all headers: what is taken off is overwritten.
  const [from, length] = [-10, 120];
  const original = dp.b.slice(starts[0] + from, starts[0] + length);
  if (dp.run(frames) < 1) throw new Error(`${name}: nothing came out`);
  const restore = (): void => {
    for (const at of starts) dp.b.set(original, at + from);
  };
  restore();
  bench(name, () => dp.run(frames), { operations: frames, restore });
}

arriving(
  'packet by MPLSoUDP to its guest',
  outer().udp(50_000, 6635, { checksum: 0 }).mpls(routedLabelOf(3)).payload(datagram.subarray(14)).bytes(),
);
arriving(
  'frame by MPLSoUDP to its guest',
  outer().udp(50_000, 6635, { checksum: 0 }).mpls(bridgedLabelOf(3)).payload(datagram).bytes(),
);
arriving(
  'frame in a VXLAN to its guest',
  outer().udp(50_000, 4789, { checksum: 0 }).vxlan(VNI).payload(datagram).bytes(),
);
arriving(
  'packet by MPLSoGRE to its guest',
  outer()
    .gre({ type: 0x8847 })
    .payload(outer().mpls(routedLabelOf(3)).payload(datagram.subarray(14)).bytes().subarray(34))
    .bytes(),
);

/** A super-frame of 56 KB as a host on the same machine sends it. */
const segments = Array.from({ length: SEGMENTS }, (_, i) =>
  outer()
    .mpls(routedLabelOf(3))
    .payload(
      inside()
        .tcp(80, 1000, { seq: 1 + i * DATA })
        .payload(new Uint8Array(DATA).fill(i))
        .bytes()
        .subarray(14),
    )
    .bytes()
    .subarray(34),
);
arriving(
  `super-frame of ${SEGMENTS} datagrams of ${DATA} bytes of TCP checked and put together`,
  outer()
    .udp(50_000, 6635, { checksum: 'partial' })
    .payload(segments.flatMap((one) => [...one]))
    .bytes(),
  vnetHeader({ flags: 1, gsoType: 5, hdrLen: 42, gsoSize: segments[0].length, csumStart: 34, csumOffset: 6 }),
);

runBenches();
