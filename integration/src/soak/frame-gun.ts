/**
 * `frame-gun.js ORDER` with an order in JSON: sends frames out of `eth0` of the namespace it runs in, as a guest that has gone mad
 * would. Ends by itself.
 */
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { listLinks, openPacketSocket } from 'packet-io';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';
import { sleep } from '../lab/process.js';
import { Random } from './random.js';

/** What a flood consists of. */
export const FLOODS = [
  'broadcast',
  'multicast',
  'unknown',
  'arp',
  'dhcp',
  'ping',
  'syn',
  'sessions',
  'garbage',
  'mutant',
  'offload',
] as const;
export type Flood = (typeof FLOODS)[number];

export interface Order {
  readonly flood: Flood;
  readonly seconds: number;
  /** Frames a second. */
  readonly rate: number;
  readonly seed: number;
  readonly mac: string;
  readonly address: string;
  readonly gateway: string;
}

/** The address every gateway of a virtual network has (RFC 5798 section 7.3, router 0). */
const GATEWAY_MAC = '00:00:5e:00:01:00';
const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
/** Frames are sent in portions, one each so many ms. */
const PORTION_MS = 10;
const VNET_LEN = 10;
/** Ports of TCP and UDP behind an IPv4 header without options. */
const PORTS_AT = 34;
const SYN = 2;
/** Frames built ahead; the flood repeats them. */
const MAGAZINE = 256;

/** One frame of the flood. */
function frame(order: Order, random: Random): Uint8Array {
  const { flood, mac, address, gateway } = order;
  const toAll = eth({ src: mac, dst: BROADCAST_MAC });
  const data = bytes(random, 1 + random.below(1400));
  switch (flood) {
    case 'broadcast':
      return toAll.ipv4({ src: address, dst: '255.255.255.255' }).udp(4000, 4000).payload(data).bytes();
    case 'multicast':
      return eth({ src: mac, dst: '01:00:5e:01:02:03' })
        .ipv4({ src: address, dst: '239.1.2.3' })
        .udp(5, 5)
        .payload(data)
        .bytes();
    case 'unknown': {
      const dst = `02:ff:${hex(random)}:${hex(random)}:${hex(random)}:${hex(random)}`;
      return eth({ src: mac, dst }).ipv4({ src: address, dst: '203.0.113.9' }).udp(6, 6).payload(data).bytes();
    }
    case 'arp':
      return toAll.arp({ op: 1, senderMac: mac, senderIp: address, targetIp: gateway }).bytes();
    case 'dhcp':
      return toAll
        .ipv4({ src: '0.0.0.0', dst: '255.255.255.255' })
        .udp(68, 67)
        .dhcp({ type: random.chance(0.5) ? 1 : 3, mac, xid: random.below(2 ** 32), requested: address })
        .bytes();
    case 'ping':
      return eth({ src: mac, dst: GATEWAY_MAC })
        .ipv4({ src: address, dst: gateway })
        .ping({ ident: 7, seq: random.below(65536) })
        .payload(data)
        .bytes();
    case 'syn':
    case 'sessions': {
      // Somebody of the first addresses of the network, or beyond it.
      const dst = random.chance(0.9) ? gateway.replace(/\d+$/, String(1 + random.below(20))) : '203.0.113.9';
      const ip = eth({ src: mac, dst: GATEWAY_MAC }).ipv4({ src: address, dst });
      if (flood === 'syn') return ip.tcp(1, 80, { flags: SYN }).bytes();
      return ip.udp(1, 9).payload(data).bytes();
    }
    case 'garbage': {
      const noise = Uint8Array.from(bytes(random, 14 + random.below(1500)));
      if (random.chance(0.5)) noise.set(random.chance(0.5) ? [255, 255, 255, 255, 255, 255] : [0, 0, 0x5e, 0, 1, 0]);
      if (random.chance(0.7))
        noise.set(
          random.pick([
            [8, 0],
            [8, 6],
            [0x86, 0xdd],
            [0x81, 0],
            [0x88, 0x47],
          ]),
          12,
        );
      return noise;
    }
    case 'mutant':
    case 'offload': {
      const kind = random.pick(FLOODS.slice(0, FLOODS.indexOf('garbage')));
      const mutant = frame({ ...order, flood: kind }, random);
      for (let i = random.below(4); i >= 0; i--) mutant[random.below(Math.min(mutant.length, 80))] = random.below(256);
      return flood === 'mutant' ? mutant : withOffloads(mutant, random);
    }
  }
}

/** Makes the frame the first of another session: with other ports. */
function renewed(frame: Uint8Array, random: Random): Uint8Array {
  for (let i = 0; i < 4; i++) frame[PORTS_AT + i] = random.below(256);
  return frame;
}

/** Puts a virtio-net header in front, of which some part is usually wrong. */
function withOffloads(mutant: Uint8Array, random: Random): Uint8Array {
  const long = Uint8Array.from([...mutant, ...bytes(random, random.below(20_000))]);
  const header = new DataView(new ArrayBuffer(VNET_LEN));
  header.setUint8(0, random.below(2));
  header.setUint8(1, random.pick([0, 1, 3, 4, 5, 0x81, 0x84]));
  header.setUint16(2, random.pick([0, 42, 54, 66, random.below(65536)]), true);
  header.setUint16(4, random.pick([0, 1, 536, 1400, random.below(65536)]), true);
  header.setUint16(6, random.pick([34, 54, random.below(200)]), true);
  header.setUint16(8, random.pick([6, 16, random.below(64)]), true);
  return Buffer.concat([new Uint8Array(header.buffer), long]);
}

function bytes(random: Random, length: number): number[] {
  return Array.from({ length }, () => random.below(256));
}

const hex = (random: Random): string => random.below(256).toString(16).padStart(2, '0');

async function fire(order: Order): Promise<void> {
  const random = new Random(order.seed);
  const eth0 = listLinks().find(({ name }) => name === 'eth0');
  if (!eth0) throw new Error('there is no eth0');
  const fd = openPacketSocket(eth0.ifindex, { vnetHeader: order.flood === 'offload' });
  const magazine = Array.from({ length: MAGAZINE }, () => frame(order, random));
  const begins = order.flood === 'syn' || order.flood === 'sessions';
  const end = Date.now() + order.seconds * 1000;
  let sent = 0;
  while (Date.now() < end) {
    for (let left = (order.rate * PORTION_MS) / 1000; left > 0; left--) {
      const next = magazine[sent++ % MAGAZINE];
      shoot(fd, begins ? renewed(next, random) : next);
    }
    await sleep(PORTION_MS);
  }
}

/** What the kernel refuses (a full queue, a header it cannot make sense of, an interface that is gone) is not sent. */
function shoot(fd: number, shot: Uint8Array): void {
  try {
    writeSync(fd, shot);
  } catch {
    return;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await fire(JSON.parse(process.argv[2]) as Order);
