import { RX, RX_BATCH, VNET_LEN } from '#vrouterd/io/device.js';
import { GATEWAY_MAC, ipOf, macOf, type OtherHost, TestNetwork } from '#vrouterd/testing/network.js';
import { eth, vnetHeader } from '#vrouterd/testing/packet-builder.js';
import { bench, runBenches } from './harness.js';

/** Frames of the guest at vif 3 for other hosts, run through the whole datapath on devices of memory. */

/** The virtio-net header, where the outer headers go, and what routing changes. */
const CHANGED = VNET_LEN + 26;
const FAR_MAC = '02:00:00:00:00:99';
const FAR = '8.8.8.8';
const SMALL = new Uint8Array(18);
/** TCP segments that fit into MPLSoUDP on an underlay of 1500 bytes, bridged. */
const MSS = 1400;
const SEGMENTS = 45;

interface Options {
  readonly hosts: readonly OtherHost[];
  readonly vnet?: Uint8Array;
  readonly frames?: number;
}

function wrapped(name: string, frame: Uint8Array, { hosts, vnet, frames = RX_BATCH }: Options): void {
  const { dp, io } = new TestNetwork({ hosts, guests: 1 });
  for (let i = 0; i < frames; i++) io.inject(3, frame, vnet);
  io.step(0);
  const starts = Array.from({ length: frames }, (_, i) => io.rx[i * RX.words + RX.at] - VNET_LEN);
  const original = dp.b.slice(starts[0], starts[0] + CHANGED);
  if (dp.run(frames) < frames) throw new Error(`${name}: not all frames came out`);
  const restore = (): void => {
    for (const at of starts) for (let i = 0; i < CHANGED; i++) dp.b[at + i] = original[i];
  };
  restore();
  bench(name, () => dp.run(frames), { operations: frames, restore });
}

const to = (dst: string) => eth({ src: macOf(3), dst });
const small = (dst: string): Uint8Array =>
  to(dst)
    .ipv4({ src: ipOf(3), dst: FAR })
    .udp(1000, 2000)
    .payload(SMALL)
    .bytes();

const hostOf = (encapsulation: OtherHost['encapsulation'], more: Partial<OtherHost> = {}): OtherHost => ({
  peer: 2,
  encapsulation,
  routes: [[FAR, 20]],
  macs: [[FAR_MAC, 57]],
  flood: 1001,
  ...more,
});
const overIpv6 = { source: 'fd00:a::11', destination: 'fd00:a::22' };

for (const encapsulation of ['MPLSoUDP', 'MPLSoGRE', 'VXLAN'] as const) {
  wrapped(`IPv4 frame bridged into ${encapsulation}`, small(FAR_MAC), { hosts: [hostOf(encapsulation)] });
  wrapped(`IPv4 frame routed into ${encapsulation}`, small(GATEWAY_MAC), { hosts: [hostOf(encapsulation)] });
}
wrapped('IPv4 frame bridged into MPLSoUDP over IPv6', small(FAR_MAC), { hosts: [hostOf('MPLSoUDP', overIpv6)] });
wrapped('broadcast to 4 hosts', small('ff:ff:ff:ff:ff:ff'), {
  hosts: [2, 3, 4, 5].map((peer) => hostOf('MPLSoUDP', { peer, routes: [], macs: [] })),
});

const superFrame = to(FAR_MAC)
  .ipv4({ src: ipOf(3), dst: FAR, df: true })
  .tcp(1000, 2000, { flags: 0x10, checksum: 'partial' })
  .payload(new Uint8Array(SEGMENTS * MSS))
  .bytes();
const vnet = vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: MSS, csumStart: 34, csumOffset: 16 });
for (const encapsulation of ['MPLSoUDP', 'MPLSoGRE'] as const) {
  wrapped(`TCP super-frame of 64 KB into ${encapsulation}`, superFrame, {
    hosts: [hostOf(encapsulation)],
    vnet,
    frames: 1,
  });
}

runBenches();
