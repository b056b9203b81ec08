import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Daemon, type DaemonOptions } from './daemon.js';
import { Namespace } from './namespace.js';
import { attempt, run } from './process.js';

/** Namespaces and directories of tests carry the process that made them in their name, so that what a killed run left can be swept. */
const NAMESPACE = /^vt(\d+)-/;
const DIRECTORY = /^vrouter-lab-(\d+)-/;

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
    const lab = new Lab(await mkdtemp(join(tmpdir(), `vrouter-lab-${process.pid}-`)));
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
    const namespace = options.namespace ?? (await this.namespace(host));
    const daemon = await Daemon.prepare(this, namespace, options);
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

/** Removes what test processes that no longer exist left behind. */
async function sweep(): Promise<void> {
  const namespaces = (await run(['ip', 'netns', 'list'])).split('\n').map((line) => line.split(' ')[0]);
  for (const name of namespaces) if (isLeft(name, NAMESPACE)) await remove(name);
  for (const name of await readdir(tmpdir())) {
    if (isLeft(name, DIRECTORY)) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

/** Whether a name is one of ours, and its process is gone. */
function isLeft(name: string, pattern: RegExp): boolean {
  const pid = pattern.exec(name)?.[1];
  return pid !== undefined && !exists(Number(pid));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
