import { RX, RX_BATCH } from '#vrouterd/io/device.js';
import { BOTH, mirrorPort, setMirror } from '#vrouterd/testing/mirrors.js';
import { ipOf, macOf, TestNetwork } from '#vrouterd/testing/network.js';
import { eth } from '#vrouterd/testing/packet-builder.js';
import { bench, runBenches } from './harness.js';

/** Frames of the guest at vif 3 to that at vif 4, copied for the analyzer at vif 5, run through the whole datapath. */

const LENGTHS = [18, 1158] as const;
const FAR = '8.8.8.8';

function network(): TestNetwork {
  return new TestNetwork({ guests: 3, hosts: [{ peer: 2, encapsulation: 'MPLSoUDP', routes: [[FAR, 20]] }] });
}

function mirrored(name: string, payload: number, prepare: (made: TestNetwork) => number): void {
  const made = network();
  const copies = prepare(made);
  const { dp, io } = made;
  const frame = eth({ src: macOf(3), dst: macOf(4) })
    .ipv4({ src: ipOf(3), dst: ipOf(4) })
    .udp(1000, 2000)
    .payload(new Uint8Array(payload))
    .bytes();
  for (let i = 0; i < RX_BATCH; i++) io.inject(3, frame);
  io.step(0);
  const at = io.rx[RX.at];
  const queued = dp.run(RX_BATCH);
  if (queued !== RX_BATCH * (1 + copies)) throw new Error(`${name}: ${queued} frames came out`);
  if (dp.b[at] !== frame[0]) throw new Error(`${name}: the frame was changed`);
  bench(name, () => dp.run(RX_BATCH), { operations: RX_BATCH });
}

for (const payload of LENGTHS) {
  const bytes = `${payload + 42} bytes`;
  mirrored(`frame of ${bytes} bridged, nobody mirrored`, payload, () => 0);
  mirrored(`frame of ${bytes} bridged, another guest mirrored`, payload, ({ tables }) => {
    setMirror(tables, 0);
    mirrorPort(tables, 5, [BOTH(0)]);
    return 0;
  });
  mirrored(`frame of ${bytes} bridged, and a copy with header`, payload, ({ tables }) => {
    setMirror(tables, 0);
    mirrorPort(tables, 3, [BOTH(0)]);
    return 1;
  });
  mirrored(`frame of ${bytes} bridged, and a copy as it is`, payload, ({ tables }) => {
    setMirror(tables, 0, { nexthop: 45 });
    mirrorPort(tables, 3, [BOTH(0)]);
    return 1;
  });
  mirrored(`frame of ${bytes} bridged, and a copy with header to another host`, payload, ({ tables }) => {
    setMirror(tables, 0, { analyzer: FAR });
    mirrorPort(tables, 3, [BOTH(0)]);
    return 1;
  });
}

runBenches();
