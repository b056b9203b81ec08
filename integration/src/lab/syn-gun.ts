/**
 * `syn-gun.js ORDER` with an order in JSON: sends SYNs out of `eth0` of the namespace it runs in, each of another session. Prints how
 * many the interface took, and ends.
 */
import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { listLinks, openPacketSocket } from 'packet-io';
import { eth } from 'vrouterd/dist/testing/packet-builder.js';

export interface SynOrder {
  readonly count: number;
  readonly mac: string;
  readonly address: string;
  readonly toMac: string;
  readonly to: string;
}

/** Source ports of each destination port, and the first of both. */
const SOURCES = 50_000;
const FIRST_PORT = 10_000;
const SYN = 0x02;

function fire({ count, mac, address, toMac, to }: SynOrder): number {
  const eth0 = listLinks().find(({ name }) => name === 'eth0');
  if (!eth0) throw new Error('there is no eth0');
  const fd = openPacketSocket(eth0.ifindex, { vnetHeader: false });
  let sent = 0;
  for (let i = 0; i < count; i++) {
    const frame = eth({ src: mac, dst: toMac })
      .ipv4({ src: address, dst: to })
      .tcp(FIRST_PORT + (i % SOURCES), FIRST_PORT + Math.floor(i / SOURCES), { flags: SYN })
      .bytes();
    try {
      writeSync(fd, frame);
      sent++;
    } catch {
      // A full queue: this one is not sent.
    }
  }
  return sent;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  process.stdout.write(`${fire(JSON.parse(process.argv[2]) as SynOrder)}\n`);
