import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Daemon, type DaemonOptions } from './daemon.js';
import { Namespace } from './namespace.js';
import { attempt, run } from './process.js';

/** Namespaces of tests are called `vtPID-name`: who made one can be told, and what a killed run left can be swept. */
const NAME = /^vt(\d+)-/;

/**
 * The laboratory of one test: namespaces, processes and files that are gone when the test is over, however it ends.
 * Cleaning runs backwards: what was made last goes first.
 */
export class Lab {
  #undo: { readonly undo: () => Promise<void> }[] = [];
  readonly #namespaces = new Map<Namespace, () => void>();
  #daemons: Daemon[] = [];

  private constructor(
    /** For pcap files, leases, state directories. */
    readonly directory: string,
  ) {}

  static async create(t: ExecutionContext): Promise<Lab> {
    const lab = await Lab.open();
    t.teardown(async () => {
      if (!t.passed) for (const daemon of lab.#daemons) t.log(`daemon ${daemon.host}:\n${daemon.log}`);
      await lab.close();
    });
    return lab;
  }

  /** A laboratory that is no test's: who opens it closes it. */
  static async open(): Promise<Lab> {
    await sweep();
    const lab = new Lab(await mkdtemp(join(tmpdir(), 'vrouter-lab-')));
    lab.defer(() => rm(lab.directory, { recursive: true, force: true }));
    return lab;
  }

  /** Registers what has to be undone when the test is over. What is returned takes that back. */
  defer(undo: () => Promise<void>): () => void {
    const entry = { undo };
    this.#undo.push(entry);
    return () => {
      this.#undo = this.#undo.filter((other) => other !== entry);
    };
  }

  /** Name below /run/netns of the namespace called `name` here. */
  nameOf(name: string): string {
    return `vt${process.pid}-${name}`;
  }

  /** Makes a network namespace with its loopback up. */
  async namespace(name: string): Promise<Namespace> {
    const namespace = new Namespace(this, this.nameOf(name));
    await run(['ip', 'netns', 'add', namespace.name]);
    const forget = this.defer(() => remove(namespace.name));
    this.#namespaces.set(namespace, forget);
    await namespace.run('ip link set lo up');
    return namespace;
  }

  /** Deletes a namespace before the test is over, with what runs in it. */
  async deleteNamespace(namespace: Namespace): Promise<void> {
    await remove(namespace.name);
    this.#namespaces.get(namespace)?.();
    this.#namespaces.delete(namespace);
  }

  /** Starts a daemon on a host of its own (a namespace) and waits until it answers. */
  async daemon(options: DaemonOptions = {}): Promise<Daemon> {
    const host = options.host ?? 'host';
    const daemon = await Daemon.prepare(this, await this.namespace(host), options);
    this.#daemons.push(daemon);
    await daemon.start();
    return daemon;
  }

  /** Removes everything made through it; a second call has nothing left to do. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let entry = this.#undo.pop(); entry; entry = this.#undo.pop()) {
      await entry.undo().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
  }
}

/** Ends what still runs in a namespace and deletes it. */
async function remove(name: string): Promise<void> {
  const { stdout } = await attempt(['ip', 'netns', 'pids', name]);
  for (const pid of stdout.split('\n').filter((line) => line !== '')) end(Number(pid));
  await run(['ip', 'netns', 'delete', name]);
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself between the list and the signal.
  }
}

/** Removes the namespaces of test processes that no longer exist. */
async function sweep(): Promise<void> {
  const list = await run(['ip', 'netns', 'list']);
  for (const line of list.split('\n')) {
    const name = line.split(' ')[0];
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !exists(Number(pid))) await remove(name);
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
