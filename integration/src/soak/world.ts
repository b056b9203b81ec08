import type { Daemon as DaemonClient } from 'vrouterd/dist/cli/client.js';
import { connect } from 'vrouterd/dist/cli/client.js';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { until } from '../lab/process.js';
import { Interruptions } from './interruptions.js';
import type { Memory } from './probe.js';
import type { Random } from './random.js';
import type { Report } from './report.js';

const PROBE = new URL('probe.js', import.meta.url).href;
/** Longest time for what was applied to become real, s. */
const REALISED_SECONDS = 30;
/** Idle sessions end soon, so that this happens too. */
const AGEING = 'flowAgeing: [{ protocol: udp, seconds: 20 }, { protocol: icmp, seconds: 20 }]';
/** pino's number for errors. */
const ERROR_LEVEL = 50;

/** What every part of the soak works on: the daemon, and where findings go. */
export class World {
  readonly interruptions = new Interruptions();
  readonly client: DaemonClient;
  readonly #probe: string;

  private constructor(
    readonly lab: Lab,
    readonly daemon: Daemon,
    readonly random: Random,
    readonly report: Report,
    probe: string,
  ) {
    this.client = connect(daemon.socket);
    this.#probe = probe;
  }

  static async create(lab: Lab, random: Random, report: Report): Promise<World> {
    const probe = join(lab.directory, 'probe.sock');
    const env = { NODE_OPTIONS: `--import ${PROBE}`, VROUTERD_PROBE: probe };
    const onOutput = logReader(report);
    const daemon = await lab.daemon({ config: AGEING, process: { env, onOutput } });
    return new World(lab, daemon, random, report, probe);
  }

  /** Waits until everything applied is real. A violation when that takes too long. */
  async realised(): Promise<void> {
    const { realised, pending } = await this.client.wait(REALISED_SECONDS);
    if (realised) return;
    const what = pending.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
    throw new Error(`not realised after ${REALISED_SECONDS} s: ${what || 'the datapath is behind'}`);
  }

  /** Ends the daemon and starts it again. */
  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const end = this.interruptions.begin();
    try {
      const code = await this.daemon.stop(signal);
      if (signal === 'SIGTERM' && code !== 0) this.report.violation(`the daemon ended with ${code} after SIGTERM`);
      await this.daemon.start();
      await this.realised();
      this.report.begunAgain();
    } finally {
      end();
    }
  }

  /** Ends the worker thread; the daemon has to start another. */
  async endWorker(): Promise<void> {
    const { restarts } = (await this.client.status()).datapath;
    const end = this.interruptions.begin();
    try {
      await this.#ask('end worker');
      await until('another worker runs', async () => {
        const { datapath } = await this.client.status();
        return (datapath.running && datapath.restarts > restarts) || undefined;
      });
      await this.realised();
    } finally {
      end();
    }
  }

  /** Memory of the daemon's JavaScript, after a collection of garbage. */
  async memory(): Promise<Memory> {
    return JSON.parse(await this.#ask('memory')) as Memory;
  }

  #ask(question: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connectSocket(this.#probe, () => socket.write(`${question}\n`));
      socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
      socket.on('error', reject);
      socket.on('end', () => {
        resolve(answer);
      });
    });
  }
}

/** Reads the daemon's log: errors are violations, and so is what is no log at all. */
function logReader(report: Report): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('{')) {
        if (line !== '') report.violation(`the daemon wrote: ${line}`);
      } else if ((JSON.parse(line) as { level: number }).level >= ERROR_LEVEL)
        report.violation(`the daemon logged: ${line}`);
    }
  };
}
