/** Watches the daemon from outside: memory, descriptors, threads, and what must be the same whenever nothing is going on. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { until } from '../lab/process.js';
import { Series } from './report.js';
import type { World } from './world.js';

const MB = 2 ** 20;
/** Packets under way when a worker is killed: a batch of 64 super-frames of 46 segments, and what waited to be sent. */
const LOST_WITH_WORKER = 64 * 46 + 512;
/** Flow entries of the guests that stay, at most, and how soon those of others are gone, ms. */
const FLOWS_AT_REST = 400;
const FLOWS_GONE_MS = 10_000;
/** Descriptors that come and go by themselves: connections of tools and of the store. */
const DESCRIPTORS_SLACK = 6;

/** A page of a V8 heap is a mapping of this size without a name. */
const HEAP_PAGE = 256 << 10;

const SERIES = {
  // Mostly the heaps with their garbage, which V8 takes and gives as it sees fit.
  anonymous: new Series('daemon RSS without files', 'bytes', { fixed: 30 * MB, perMinute: 0.1 * MB }),
  daemonHeap: new Series('daemon heap', 'bytes', { fixed: 2 * MB, perMinute: 0.02 * MB }),
  workerHeap: new Series('worker heap', 'bytes', { fixed: 1 * MB, perMinute: 0.02 * MB }),
  daemonBuffers: new Series('daemon buffers', 'bytes', { fixed: 2 * MB, perMinute: 0.02 * MB }),
  native: new Series('daemon beside its heaps', 'bytes', { fixed: 4 * MB, perMinute: 0.1 * MB }),
  redisRss: new Series('redis RSS', 'bytes', { fixed: 3 * MB, perMinute: 0.05 * MB }),
  descriptors: new Series('daemon descriptors', 'count', { fixed: 20, perMinute: 0.05 }),
  sockets: new Series('daemon sockets', 'count', { fixed: 15, perMinute: 0.05 }),
  threads: new Series('daemon threads', 'count', { fixed: 4, perMinute: 0.02 }),
  maps: new Series('daemon mappings', 'count', { fixed: 80, perMinute: 0.5 }),
  restNative: new Series('beside its heaps, at rest', 'bytes', { fixed: 4 * MB, perMinute: 0.1 * MB }),
  restDescriptors: new Series('descriptors at rest', 'count', { fixed: 2, perMinute: 0.02 }),
  restFlows: new Series('flow entries at rest', 'count', { fixed: 100, perMinute: 0.5 }),
  restMaps: new Series('mappings at rest', 'count', { fixed: 60, perMinute: 0.3 }),
} as const;

/** What must be the same at every rest. */
interface Rest {
  readonly links: readonly string[];
  readonly chains: readonly string[];
  readonly packetSockets: number;
  readonly interfaces: number;
  readonly networks: number;
  readonly nexthops: number;
  readonly vrfs: readonly number[];
}

export class Watch {
  readonly #world: World;
  #rest: Rest | undefined;
  /** Descriptors at the first rest of a daemon process. */
  #descriptors: { readonly pid: number; readonly count: number } | undefined;
  /** By how much the books are off since a worker was ended on purpose, and whether one was since the last look. */
  #booksOff = 0;
  #booksExcused = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** From now to the next rest a worker may be killed with packets in its hands. */
  excuseBooks(): void {
    this.#booksExcused = true;
  }

  /** Takes one sample; returns the numbers for a line of progress. */
  async sample(): Promise<string> {
    const { report, daemon } = this.#world;
    const { pid } = daemon;
    const memory = await this.#world.memory();
    const own = processFacts(pid);
    report.add(SERIES.anonymous, own.anonymous);
    report.add(SERIES.daemonHeap, memory.heap);
    if (memory.workerHeap > 0) report.add(SERIES.workerHeap, memory.workerHeap);
    report.add(SERIES.daemonBuffers, memory.arrayBuffers + memory.external);
    const native = besideHeaps(pid);
    report.add(SERIES.native, native);
    report.add(SERIES.descriptors, own.descriptors);
    report.add(SERIES.sockets, own.sockets);
    report.add(SERIES.threads, own.threads);
    report.add(SERIES.maps, own.maps);
    const redis = redisOf(pid);
    const redisRss = redis === undefined ? 0 : rssOf(redis);
    if (redisRss > 0) report.add(SERIES.redisRss, redisRss);
    const mb = (bytes: number): string => (bytes / MB).toFixed(1);
    const redisText = redisRss === 0 ? '-' : mb(redisRss);
    return `RSS ${mb(own.rss)} heap ${mb(memory.heap)}+${mb(memory.workerHeap)} beside ${mb(native)} redis ${redisText} MB, ${own.descriptors} fds, ${own.threads} threads`;
  }

  /** With nothing left but the guests that stay: compares with the rest before. */
  async rest(): Promise<void> {
    const { report, daemon } = this.#world;
    const now = await this.#look();
    this.#rest ??= now;
    if (JSON.stringify(now) !== JSON.stringify(this.#rest)) {
      report.violation(`at rest there is ${JSON.stringify(now)} instead of ${JSON.stringify(this.#rest)}`);
      this.#rest = now;
    }
    const { descriptors, maps } = processFacts(daemon.pid);
    if (this.#descriptors?.pid !== daemon.pid) this.#descriptors = { pid: daemon.pid, count: descriptors };
    if (descriptors > this.#descriptors.count + DESCRIPTORS_SLACK) {
      report.violation(
        `${descriptors} descriptors at rest, ${this.#descriptors.count} at the first rest of this process`,
      );
    }
    report.add(SERIES.restNative, besideHeaps(daemon.pid));
    report.add(SERIES.restFlows, await this.#flowsAtRest());
    report.add(SERIES.restDescriptors, descriptors);
    report.add(SERIES.restMaps, maps);
    await this.#checkBooks();
  }

  async #look(): Promise<Rest> {
    const { client, daemon } = this.#world;
    const { namespace } = daemon;
    const links = JSON.parse(await namespace.run('ip -j link')) as { ifname: string }[];
    const { nftables } = JSON.parse(await namespace.run('/usr/sbin/nft -j list ruleset')) as {
      nftables: { chain?: { name: string } }[];
    };
    const sockets = await namespace.run('cat /proc/net/packet');
    const { interfaces, networks } = await client.status();
    return {
      links: links.map(({ ifname }) => ifname).sort(),
      chains: nftables.flatMap(({ chain }) => chain?.name ?? []).sort(),
      packetSockets: sockets.trim().split('\n').length - 1,
      interfaces: interfaces.total,
      networks,
      nexthops: (await client.nexthops()).length,
      vrfs: (await client.vrfstats()).map(({ vrf }) => vrf),
    };
  }

  /** What is left of the flow table once those whose sessions it had are gone. */
  async #flowsAtRest(): Promise<number> {
    const { report, client } = this.#world;
    let entries = NaN;
    const emptied = until(
      'the flow table is near empty',
      async () => {
        entries = (await client.flowTable()).active;
        return entries <= FLOWS_AT_REST || undefined;
      },
      FLOWS_GONE_MS,
    );
    await emptied.catch(() => report.violation(`${entries} flow entries at rest`));
    return entries;
  }

  /** Books are read while the worker writes: they balance if they do in one of many looks. */
  async #checkBooks(): Promise<void> {
    const { report, client } = this.#world;
    let off = NaN;
    const balanced = until(
      'the books balance',
      async () => {
        const { received, generated, copied, sent, dropped, consumed } = (await client.status()).datapath.books;
        off = received + generated + copied - sent - dropped - consumed;
        return off === this.#booksOff || undefined;
      },
      3_000,
    );
    await balanced.catch(() => undefined);
    const moved = off - this.#booksOff;
    this.#booksOff = off;
    if (moved !== 0 && !(this.#booksExcused && Math.abs(moved) <= LOST_WITH_WORKER)) {
      report.violation(`the books are off by ${moved} packets since the last rest`);
    }
    this.#booksExcused = false;
  }
}

interface ProcessFacts {
  readonly rss: number;
  readonly anonymous: number;
  readonly threads: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly maps: number;
}

/**
 * Memory of the daemon's own that is no heap: what C++ allocated, the buffers of JavaScript, code. Not counted are the files it maps,
 * which fill as designed, and the pages of the heaps: V8 lets garbage lie and keeps pages ready, tens of megabytes more or less. What
 * is in use on the heaps is measured apart.
 */
function besideHeaps(pid: number): number {
  let total = 0;
  let counts = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)$/.exec(line);
    if (mapping) counts = mapping[3] !== '' || parseInt(mapping[2], 16) - parseInt(mapping[1], 16) !== HEAP_PAGE;
    else if (counts && line.startsWith('Anonymous:')) total += parseInt(line.slice('Anonymous:'.length)) * 1024;
  }
  return total;
}

/** Resident memory in bytes; 0 of a process that is ending. */
const rssOf = (pid: number): number => statusField(textOf(`/proc/${pid}/status`), 'VmRSS') * 1024;

function statusField(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
}

function processFacts(pid: number): ProcessFacts {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1;
  return {
    rss: statusField(status, 'VmRSS') * 1024,
    anonymous: statusField(status, 'RssAnon') * 1024,
    threads: statusField(status, 'Threads'),
    descriptors: descriptors.length,
    sockets: descriptors.filter((fd) => targetOf(`/proc/${pid}/fd/${fd}`).startsWith('socket:')).length,
    maps,
  };
}

/** The daemon's redis-server; none while it is being started again. */
function redisOf(pid: number): number | undefined {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => textOf(`/proc/${pid}/task/${task}/children`).split(' '))
    .filter((child) => child !== '')
    .map(Number)
    .find((child) => textOf(`/proc/${child}/comm`).trim() === 'redis-server');
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // Closed between the list and this look.
    return '';
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process or thread has ended.
    return '';
  }
}

/** Kills the embedded Redis. Nothing of the traffic may notice, and the store has to come back. */
export async function killRedis(world: World): Promise<void> {
  const pid = redisOf(world.daemon.pid);
  if (pid === undefined) throw new Error('there is no redis-server to kill');
  process.kill(pid, 'SIGKILL');
  await until('another redis-server serves', async () => {
    const { store } = await world.client.status();
    const now = redisOf(world.daemon.pid);
    return (store.connected && now !== undefined && now !== pid) || undefined;
  });
}
