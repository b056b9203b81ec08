import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { closeFd, lockFile, mapFile, sdNotify } from 'packet-io';
import type { Logger } from 'pino';
import { FIXED } from './agent/compile.js';
import { Ids } from './agent/ids.js';
import { MirrorStates } from './agent/mirror-states.js';
import { Mirrors } from './agent/mirrors.js';
import { Operator } from './agent/operator.js';
import { runCommand } from './agent/command.js';
import { deviceProblem } from './agent/device-problem.js';
import { kernel } from './agent/kernel.js';
import { PortMarks } from './agent/port-mark.js';
import { Ports } from './agent/ports.js';
import { Prober } from './agent/prober.js';
import { answerPunt } from './agent/punt.js';
import { Realiser } from './agent/realiser.js';
import { Reconciler } from './agent/reconcile.js';
import { RemoteHosts } from './agent/remote-hosts.js';
import { SharedWays } from './agent/shared-ways.js';
import { startApi } from './api/server.js';
import { startUnderlay, type UnderlayParts } from './compose-underlay.js';
import { type Config, ConfigError } from './config.js';
import { EmbeddedRedis } from './control/embedded-redis.js';
import type { HostDirectory } from './control/host-route.js';
import type { RedisSettings } from './control/redis-connection.js';
import type { DatapathOptions } from './datapath/datapath.js';
import { RedisHosts } from './control/redis-hosts.js';
import { RedisStore } from './control/redis-store.js';
import { FlowDuties } from './flow-duties.js';
import type { FrameRing } from './packet/frame-ring.js';
import { BRIDGE_SLOTS } from './tables/bridge.js';
import { FlowTable, type FlowTableSize } from './tables/flow.js';
import { Counters, MAX_VIFS, MAX_VRFS } from './tables/counters.js';
import { FIRST_LABEL, MAX_LABELS } from './tables/labels.js';
import { MAX_MIRRORS } from './tables/mirror.js';
import { PUNT, type PuntCommand } from './tables/punt.js';
import { NH_ID, VIF_ID } from './tables/records.js';
import { SessionEvents } from './tables/session-events.js';
import { snapshot, Tables } from './tables/tables.js';
import { hostPlan, innerMtu, tunnelPlan } from './compose-host.js';
import { joinHosts } from './join-hosts.js';
import { portsOf } from './compose-ports.js';
import { schedule } from './schedule.js';
import { DaemonStatus } from './status.js';
import { Tracing } from './trace/tracing.js';
import { View } from './view.js';
import { watchLinks, watchNamespaces } from './watches.js';
import { WorkerHost } from './worker-host.js';

/** How often what failed is tried again, and the kernel's state is compared with what it should be. */
const AUDIT = '*/10 * * * * *';
const IDS = {
  vif: { first: VIF_ID.firstVirtual, end: MAX_VIFS },
  vrf: { first: 1, end: MAX_VRFS },
  nexthop: { first: NH_ID.firstDynamic, end: 524_288 },
  // A flow entry keeps the number of the access list that decided in 15 bits.
  acl: { first: 1, end: 32_768 },
  group: { first: 1, end: 65_536 },
  label: { first: FIRST_LABEL, end: MAX_LABELS },
  mirror: { first: 0, end: MAX_MIRRORS },
} as const;

export interface Daemon {
  stop(): Promise<void>;
  /** Takes over what can change while it runs: how sessions age and are recorded. */
  reload(config: Config): Promise<void>;
}

/** Things to undo, in the reverse order of their doing. */
class Undo {
  readonly #steps: (() => Promise<void> | void)[] = [];
  push(step: () => Promise<void> | void): void {
    this.#steps.push(step);
  }
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) await step();
  }
}

/** Starts everything, in the order in which one needs the other. What was started is stopped again when a later step fails. */
export async function startDaemon(config: Config, version: string, log: Logger): Promise<Daemon> {
  const undo = new Undo();
  try {
    const duties = await start(config, version, log, undo);
    return { stop: () => undo.run(), reload: (changed) => duties.configure(changed) };
  } catch (error) {
    await undo.run();
    throw error;
  }
}

async function start(config: Config, version: string, log: Logger, undo: Undo): Promise<FlowDuties> {
  const startedAt = Date.now();
  takeStateDir(config.stateDir, undo);
  const redis = await startRedis(config, log, undo);
  const store = await startStore(config, redis, log, undo);
  const prober = new Prober(() => performance.now());
  const hosts = await startHosts(config, redis, { version, prober }, log, undo);
  const forwarding = startForwarding(config, redis, { hosts, prober }, log, undo);
  const { tables, counters, flows, host, ports, underlay, realiser, remote, mirrors, duties } = forwarding;
  connectProber(prober, forwarding);
  undo.push(joinHosts({ remote, mirrors, hosts, underlay: underlay.underlay, realiser, store }));
  undo.push(watchNamespaces(realiser));
  undo.push(watchLinks(realiser));
  await startAudits(forwarding, log, undo);

  const operator = new Operator({
    store,
    host: config.host,
    deviceProblem: (device, attach) => deviceProblem(device, attach, kernel, marksOf(config)),
  });
  const mirrorStates = new MirrorStates({ mirrors, tables, store, underlay: underlay.underlay });
  const status = new DaemonStatus({ ...forwarding, mirrors: mirrorStates, config, version, startedAt, store, hosts });
  const { flowsPerInterface } = config.datapath;
  const view = new View({
    tracing: new Tracing({ tables, flows, counters, options: datapathOptions(config), realiser, worker: host }),
    tables,
    counters,
    flowsPerInterface,
    ports,
    underlayLink: () => underlay.link(),
    realiser,
    operator,
    status,
    mirrors: mirrorStates,
    hosts,
    remote,
    prober,
    shared: { redis, prefix: config.redisPrefix },
    flows: {
      table: flows,
      command: (op, index, generation) => host.carriedOut(host.flowCommand(op, index, generation)),
    },
  });
  const api = await startApi(view, { socket: config.api.socket, ...metricsAddress(config) }, log);
  undo.push(() => api.close());
  keepWatchdog(host, undo);
  log.info({ socket: config.api.socket, stateDir: config.stateDir }, 'ready');
  return duties;
}

/** Compares the kernel's state with what it should be, now and then. Resolves when what every host has is there. */
async function startAudits({ ports, underlay, realiser }: Forwarding, log: Logger, undo: Undo): Promise<void> {
  const audit = (): void => {
    realiser.audit();
    underlay.audit();
    ports.renewIsolation().catch((error: unknown) => {
      log.warn({ err: error }, 'could not isolate the ports from the host');
    });
  };
  undo.push(schedule(AUDIT, audit, log));
  underlay.onPrefixes(() => {
    realiser.schedule();
  });
  await underlay.ready;
}

interface Forwarding {
  readonly tables: Tables;
  readonly counters: Counters;
  readonly flows: FlowTable;
  readonly host: WorkerHost;
  readonly ports: Ports;
  readonly underlay: UnderlayParts;
  readonly realiser: Realiser;
  readonly remote: RemoteHosts;
  readonly mirrors: Mirrors;
  readonly duties: FlowDuties;
}

function connectProber(prober: Prober, { host, underlay }: Forwarding): void {
  prober.connect({
    send: (frame) => host.send(VIF_ID.physical, frame),
    wayTo: (address) => underlay.underlay.wayTo(address),
  });
}

/** Starts the worker, and what turns configuration into its tables and ports. */
function startForwarding(
  config: Config,
  redis: RedisSettings,
  { hosts, prober }: { readonly hosts: HostDirectory; readonly prober: Prober },
  log: Logger,
  undo: Undo,
): Forwarding {
  const counters = mapCounters(config.api.socket, undo);
  const flows = mapFlows(config);
  const events = new SessionEvents();
  const tables = new Tables();
  const host: WorkerHost = new WorkerHost({
    start: {
      countersPath: besideSocket(config.api.socket, 'counters'),
      flowsPath: besideSocket(config.api.socket, 'flows'),
      flowSize: flowSize(config),
      sessionEvents: events.memory,
      options: datapathOptions(config),
    },
    counters,
    log,
    snapshot: () => snapshot(tables),
    onFrames: (ring) => {
      answerAll(ring, host, realiser, { underlay, prober });
    },
    onPortLost: (vif, reason) => {
      if (!underlay.portLost(vif, reason)) realiser.portLost(vif, reason);
    },
  });
  const reconciler = new Reconciler(tables, (changes) => host.change(changes));
  const ports = new Ports({ run: runCommand, kernel, marks: marksOf(config), log });
  const ids = new Ids(join(config.stateDir, 'ids.jsonl'), IDS);
  reconciler.reconcile('host', FIXED);
  const plan = hostPlan(config);
  const underlay = startUnderlay({ ...plan, config, host, reconciler, marks: marksOf(config, ' host'), log });
  const ways = new SharedWays(underlay.underlay);
  const remote = new RemoteHosts({ ...tunnelPlan(config), ids, reconciler, underlay: ways.share() });
  const own = { mac: plan.mac, address: config.tunnel.address };
  const mirrors = new Mirrors({ ids, reconciler, tables, underlay: ways.share(), host: own });
  const realiser: Realiser = new Realiser({
    host: config.host,
    plan,
    ids,
    reconciler,
    remote,
    mirrors,
    hosts,
    fabric: underlay.fabric,
    ports,
    datapath: portsOf(host, tables),
    forget: (table, id) => host.change([{ table, op: 'delete', id }]),
    log,
  });
  const duties = new FlowDuties({ config, flows, events, tables, host, realiser, redis, log });
  host.start();
  duties.start();
  for (const stop of [() => duties.stop(), () => host.stop(), () => underlay.stop(), () => realiser.settled()])
    undo.push(stop);
  return { tables, counters, flows, host, ports, underlay, realiser, remote, mirrors, duties };
}

/** Makes the state directory and locks it: two daemons must never share one. */
function takeStateDir(stateDir: string, undo: Undo): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o750 });
  lock(join(stateDir, 'lock'), `stateDir ${stateDir}`, undo);
}

/** Locks a file until the end. Throws ConfigError when another daemon has it; `what` says what they share. */
function lock(file: string, what: string, undo: Undo): void {
  try {
    const fd = lockFile(file);
    undo.push(() => {
      closeFd(fd);
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EWOULDBLOCK') throw cause;
    throw new ConfigError(`${what} is in use by another vrouterd; stop it, or name another one`, { cause });
  }
}

/** Where the shared store is; the embedded one is started. */
async function startRedis({ redis, stateDir }: Config, log: Logger, undo: Undo): Promise<RedisSettings> {
  if (redis !== 'embedded') return redis;
  const server = new EmbeddedRedis({ directory: join(stateDir, 'redis'), log });
  await server.start();
  undo.push(() => server.stop());
  return { url: server.url };
}

async function startStore(config: Config, redis: RedisSettings, log: Logger, undo: Undo): Promise<RedisStore> {
  const store = new RedisStore({ redis, prefix: config.redisPrefix, log });
  await store.start();
  undo.push(() => store.stop());
  return store;
}

/** Takes this host's place among the hosts of the cluster, and follows the others. */
async function startHosts(
  config: Config,
  redis: RedisSettings,
  { version, prober }: { readonly version: string; readonly prober: Prober },
  log: Logger,
  undo: Undo,
): Promise<RedisHosts> {
  const { address, encapsulations } = config.tunnel;
  const lease = { name: config.host, tunnelAddress: address, encapsulations, version, incarnation: randomUUID() };
  const hosts = new RedisHosts({
    redis,
    prefix: config.redisPrefix,
    lease,
    probe: { ask: (other) => prober.alive(other) },
    log,
  });
  await hosts.start();
  undo.push(() => hosts.stop());
  return hosts;
}

/** Counters and flows lie beside the socket, on a file system in memory, so that they survive the process but not the machine. */
function besideSocket(socket: string, what: 'counters' | 'flows'): string {
  return join(dirname(socket), `${basename(socket, '.sock')}.${what}`);
}

function mapCounters(socket: string, undo: Undo): Counters {
  mkdirSync(dirname(socket), { recursive: true });
  const path = besideSocket(socket, 'counters');
  lock(path, `api.socket ${socket}`, undo);
  return new Counters(mapFile(path, Counters.bytesFor(BRIDGE_SLOTS)), BRIDGE_SLOTS);
}

function flowSize({ datapath }: Config): FlowTableSize {
  return { entries: datapath.flowEntries, overflow: datapath.flowOverflow };
}

/** The flow table; sessions of an earlier run are in it still. */
function mapFlows(config: Config): FlowTable {
  const size = flowSize(config);
  return new FlowTable(mapFile(besideSocket(config.api.socket, 'flows'), FlowTable.bytesFor(size)), size);
}

/** Hosts of several clusters may share a machine and a name; their state directories differ. `what`: for other things than ports. */
function marksOf({ host, stateDir }: Config, what = ''): PortMarks {
  return new PortMarks(`${host} ${resolve(stateDir)}${what}`);
}

function answerAll(
  ring: FrameRing,
  host: WorkerHost,
  realiser: Realiser,
  { underlay, prober }: { readonly underlay: UnderlayParts; readonly prober: Prober },
): void {
  for (let punted = ring.take(); punted; punted = ring.take()) {
    const { vif, frame, parameter } = punted;
    const command = punted.command as PuntCommand;
    if (command === PUNT.icmpError) underlay.icmpError(frame);
    if (command === PUNT.routerAlert) prober.receive(frame);
    for (const answer of answerPunt({ command, parameter, vif, frame }, (id) => realiser.guestOf(id))) {
      host.send(answer.vif, answer.frame);
    }
  }
}

/** Tells systemd that the service is up, and that it lives as long as the worker does. */
function keepWatchdog(host: WorkerHost, undo: Undo): void {
  sdNotify('READY=1');
  undo.push(() => {
    sdNotify('STOPPING=1');
  });
  const microseconds = Number(process.env.WATCHDOG_USEC ?? 0);
  if (microseconds === 0) return;
  const timer = setInterval(() => {
    if (host.alive) sdNotify('WATCHDOG=1');
  }, microseconds / 3000);
  undo.push(() => {
    clearInterval(timer);
  });
}

function datapathOptions(config: Config): DatapathOptions {
  const { agentRate, agentBurst, flowsPerInterface, closeOnAnyReset } = config.datapath;
  return {
    agentRate,
    agentBurst,
    flowsPerInterface,
    closeOnAnyReset,
    underlayMtu: innerMtu(config),
    outerDf: config.tunnel.df,
  };
}

function metricsAddress({ metrics }: Config): { metrics?: { host: string; port: number } } {
  if (!metrics) return {};
  const colon = metrics.listen.lastIndexOf(':');
  return { metrics: { host: metrics.listen.slice(0, colon), port: Number(metrics.listen.slice(colon + 1)) } };
}
