import { parse, parseEthernet } from '#vrouterd/datapath/parse.js';
import { RX, RX_BATCH } from '#vrouterd/io/device.js';
import { GATEWAY_MAC, ip6Of, ipOf, macOf, TestNetwork } from '#vrouterd/testing/network.js';
import { eth, vnetHeader } from '#vrouterd/testing/packet-builder.js';
import { bench, runBenches } from './harness.js';

/** Frames of the guest at vif 3, run through the whole datapath on devices of memory, in full batches. */

/** What routing changes lies in the first bytes of a frame: addresses, TTL or hop limit, checksum. */
const CHANGED = 26;
const SMALL = new Uint8Array(18);
const MSS = 1398;

interface Options {
  readonly packetMode?: 'all';
  readonly vnet?: Uint8Array;
  readonly guests?: number;
}

/** A network whose device has just received a batch of one frame. */
function received(frame: Uint8Array, { vnet, guests = 2, packetMode }: Options): TestNetwork {
  const network = new TestNetwork({ guests, ...(packetMode && { packetMode }) });
  for (let i = 0; i < RX_BATCH; i++) network.io.inject(3, frame, vnet);
  network.io.step(0);
  return network;
}

function wholeDatapath(name: string, frame: Uint8Array, options: Options = {}): void {
  const { dp, io } = received(frame, options);
  const starts = Array.from({ length: RX_BATCH }, (_, i) => io.rx[i * RX.words + RX.at]);
  const original = dp.b.slice(starts[0], starts[0] + CHANGED);
  if (dp.run(RX_BATCH) < RX_BATCH) throw new Error(`${name}: not all frames came out`);
  const changed = [...original.keys()].filter((i) => dp.b[starts[0] + i] !== original[i]);
  const restore = (): void => {
    for (const at of starts) for (const i of changed) dp.b[at + i] = original[i];
  };
  bench(name, () => dp.run(RX_BATCH), { operations: RX_BATCH, ...(changed.length > 0 ? { restore } : {}) });
}

function parsing(name: string, frame: Uint8Array): void {
  const { dp, io } = received(frame, {});
  dp.p.at = io.rx[RX.at];
  dp.p.end = dp.p.at + frame.length;
  bench(
    name,
    () => {
      let good = 0;
      for (let i = 0; i < RX_BATCH; i++) if (parseEthernet(dp) && parse(dp)) good += dp.p.l4At;
      return good;
    },
    { operations: RX_BATCH },
  );
}

const to = (dst: string) => eth({ src: macOf(3), dst });
const inet = { src: ipOf(3), dst: ipOf(4) };
const inet6 = { src: ip6Of(3), dst: ip6Of(4) };
const neighbour = to(macOf(4)).ipv4(inet).udp(1000, 2000).payload(SMALL).bytes();
const neighbour6 = to(macOf(4)).ipv6(inet6).udp(1000, 2000).payload(SMALL).bytes();

parsing('Ethernet and IPv4 headers parsed', neighbour);
parsing('Ethernet and IPv6 headers parsed', neighbour6);
wholeDatapath('IPv4 frame bridged', neighbour);
wholeDatapath('IPv6 frame bridged', neighbour6);
wholeDatapath('IPv4 frame bridged in packet mode', neighbour, { packetMode: 'all' });
wholeDatapath('IPv4 frame routed', to(GATEWAY_MAC).ipv4(inet).udp(1000, 2000).payload(SMALL).bytes());
wholeDatapath('IPv6 frame routed', to(GATEWAY_MAC).ipv6(inet6).udp(1000, 2000).payload(SMALL).bytes());
wholeDatapath('broadcast to 4 guests', to('ff:ff:ff:ff:ff:ff').ipv4(inet).udp(1000, 2000).payload(SMALL).bytes(), {
  guests: 5,
});
wholeDatapath(
  'TCP super-frame of 64 KB bridged',
  to(macOf(4))
    .ipv4(inet)
    .tcp(1000, 2000, { flags: 0x10, checksum: 'partial' })
    .payload(new Uint8Array(46 * MSS))
    .bytes(),
  { vnet: vnetHeader({ flags: 1, gsoType: 1, hdrLen: 54, gsoSize: MSS, csumStart: 34, csumOffset: 16 }) },
);

runBenches();
