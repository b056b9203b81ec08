import { randomBytes } from 'node:crypto';
import type { HostLease } from '../control/host-route.js';
import { formatAddress, parseAddress } from '../wire/addr.js';
import * as keepalive from '../wire/keepalive.js';
import type { Way } from './way.js';

/** How long an answer is waited for, ms, where nothing else is said. */
const PATIENCE_MS = 1000;

/** What other hosts are asked through. */
export interface ProberLink {
  /** Sends a frame out of the underlay interface. */
  readonly send: (frame: Uint8Array) => unknown;
  /** The way to an address of the underlay; null: there is none. */
  readonly wayTo: (address: string) => Way | null;
}

/** What a host said, or why it could not be asked. `ms`: from the request to its answer. */
export type ProbeAnswer =
  | { readonly outcome: keepalive.ProbeResult; readonly ms: number }
  | { readonly outcome: 'lost' | 'noWay' | 'unresolved' };

interface Waiting {
  /** Canonical address of the host that was asked. */
  readonly address: string;
  readonly sentAt: number;
  readonly answered: (answer: ProbeAnswer) => void;
}

/** Asks other hosts through the tunnel whether they are there, and where a label leads there (wire/keepalive.ts). */
export class Prober {
  readonly #now: () => number;
  readonly #waiting = new Map<bigint, Waiting>();
  #link: ProberLink | null = null;

  /** @param now milliseconds by any clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** From now on there is something to ask through. */
  connect(link: ProberLink): void {
    this.#link = link;
  }

  /** Asks the host with a tunnel address. Never rejects. */
  ask(
    address: string,
    probe?: keepalive.Request['probe'],
    { timeoutMs = PATIENCE_MS, port = 49_152 }: { readonly timeoutMs?: number; readonly port?: number } = {},
  ): Promise<ProbeAnswer> {
    const way = this.#link?.wayTo(address);
    if (!way) return Promise.resolve({ outcome: 'noWay' });
    if (way.rewrite === '') return Promise.resolve({ outcome: 'unresolved' });
    const nonce = randomBytes(8).readBigUInt64BE();
    const frame = keepalive.request({
      rewrite: Uint8Array.from(Buffer.from(way.rewrite, 'hex')),
      source: parseAddress(way.source),
      destination: parseAddress(address),
      nonce,
      port,
      ...(probe && { probe }),
    });
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(nonce);
        resolve({ outcome: 'lost' });
      }, timeoutMs);
      const answered = (answer: ProbeAnswer): void => {
        clearTimeout(timer);
        this.#waiting.delete(nonce);
        resolve(answer);
      };
      this.#waiting.set(nonce, { address: formatAddress(parseAddress(address)), sentAt: this.#now(), answered });
      this.#link?.send(frame);
    });
  }

  /** Asks a host for a sign of life: time until its answer, ms; null: there was none. */
  async alive({ tunnelAddress }: Pick<HostLease, 'tunnelAddress'>): Promise<number | null> {
    const answer = await this.ask(tunnelAddress);
    return 'ms' in answer ? answer.ms : null;
  }

  /** A frame for this host itself came out of a tunnel. What answers nothing that was asked is forgotten. */
  receive(frame: Uint8Array): void {
    const answer = keepalive.read(frame);
    const waiting = answer && this.#waiting.get(answer.nonce);
    if (!answer || !waiting || formatAddress(answer.from) !== waiting.address) return;
    waiting.answered({ outcome: answer.result, ms: this.#now() - waiting.sentAt });
  }
}
