import type { Background } from './process.js';
import { run, sleep } from './process.js';

/** A running tcpdump that writes every frame of an interface to a file. */
export class Capture {
  constructor(
    readonly tcpdump: Background,
    /** The pcap file. */
    readonly file: string,
  ) {}

  /** Ends the capture; returns one line a frame, with Ethernet header and TTL (`tcpdump -nnev`, time left out). */
  async stop(): Promise<readonly string[]> {
    if (this.tcpdump.running) {
      // tcpdump takes frames from the kernel in its own time; what was on the wire before this call has to be in the file.
      await sleep(200);
      await this.tcpdump.stop('SIGINT');
    }
    const text = await run(['tcpdump', '-nnevtr', this.file]);
    // -v continues a packet on indented lines: one frame, one line.
    return text
      .replaceAll(/\n\s+/g, ' ')
      .split('\n')
      .filter((line) => line !== '');
  }
}
