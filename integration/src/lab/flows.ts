import { statSync } from 'node:fs';
import { mapFile } from 'packet-io';
import { FLOW, FLOW_BYTES, FLOW_DOUBLE, FLOW_HEADER, FlowTable, TCP_FLAG } from 'vrouterd/dist/tables/flow.js';
import type { Daemon } from './daemon.js';

/** One direction of a session as the daemon's flow table has it. */
export interface FlowSeen {
  readonly family: number;
  readonly protocol: number;
  readonly ports: readonly [number, number];
  readonly packets: number;
  /** TCP's letters. */
  readonly letters: string;
}

const LETTERS = [
  ['S', TCP_FLAG.syn],
  ['Sr', TCP_FLAG.synReverse],
  ['E', TCP_FLAG.established],
  ['Er', TCP_FLAG.establishedReverse],
  ['F', TCP_FLAG.fin],
  ['Fr', TCP_FLAG.finReverse],
  ['R', TCP_FLAG.reset],
  ['C', TCP_FLAG.halfClose],
  ['D', TCP_FLAG.dead],
] as const;

/** All entries in use, the busiest first. */
export function flowsOf(daemon: Daemon): readonly FlowSeen[] {
  const path = daemon.socket.replace(/\.sock$/, '.flows');
  const memory = mapFile(path, statSync(path).size);
  const header = new Float64Array(memory);
  const size = { entries: header[FLOW_HEADER.entries], overflow: header[FLOW_HEADER.overflow] };
  if (size.entries * FLOW_BYTES > memory.byteLength) throw new Error(`${path} is no flow table`);
  const table = new FlowTable(memory, size);
  const { words, doubles } = table;
  const seen: FlowSeen[] = [];
  for (let index = 0; index < table.size; index++) {
    const at = table.at(index);
    const kind = words[at + FLOW.protocol];
    if (kind === 0) continue;
    const ports = words[at + FLOW.ports];
    const letters = LETTERS.filter(([, bit]) => (words[at + FLOW.tcp] & bit) !== 0);
    seen.push({
      family: kind >>> 8,
      protocol: kind & 0xff,
      ports: [ports >>> 16, ports & 0xffff],
      packets: doubles[table.doubleAt(index) + FLOW_DOUBLE.packets],
      letters: letters.map(([letter]) => letter).join(''),
    });
  }
  return seen.sort((one, other) => other.packets - one.packets);
}
