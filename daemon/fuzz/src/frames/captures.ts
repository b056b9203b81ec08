import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readPcap } from './pcap.js';

const FOLDER = fileURLToPath(new URL('../../corpus/frames/', import.meta.url));

/** What the kernel sends between two guests and their gateway: see corpus/capture. */
export const CAPTURES: readonly Uint8Array[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.pcap'))
  .sort()
  .flatMap((name) => readPcap(FOLDER + name));
