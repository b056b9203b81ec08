/** The daemon as the tools see it: HTTP and JSON over its unix socket. */
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';

import type {
  BridgeRouteDump,
  DropstatsDump,
  ErrorReply,
  InetFamily,
  InetRouteDump,
  MplsDump,
  NexthopDump,
  ObjectOutcome,
  StatusDump,
  VifDump,
  VrfstatsDump,
  VxlanDump,
  WaitDump,
} from '../control/dumps.js';
import type { FlowCountsDump, FlowDump, FlowOp, FlowSort, FlowTableDump } from '../control/flow-dumps.js';
import type { HostDump, ProbeDump, ProbeRequest, StoreCopyDump } from '../control/host-dumps.js';
import type { LiveTrace, TraceDump, TraceRequest } from '../control/trace-dumps.js';
import type { MirrorDump } from '../control/mirror-dumps.js';
import { Exit, STATUS } from './exit.js';

export const DEFAULT_SOCKET = '/run/vrouterd/vrouterd.sock';

/** Silence after which the daemon counts as not answering. */
const TIMEOUT_MS = 10_000;
/** The same while it applies or deletes: thousands of objects take their time. */
const CHANGE_TIMEOUT_MS = 300_000;

/** Which flows are asked for, and how. */
export interface FlowListing {
  /** Expression; without it all. */
  readonly match?: string | undefined;
  readonly evicted?: boolean | undefined;
  readonly names?: boolean | undefined;
  readonly sort?: FlowSort | undefined;
  readonly top?: number | undefined;
}

/** Which real packets are traced, how many at most, and for how many seconds. */
export interface LiveQuery {
  readonly match: string;
  readonly count: number;
  readonly timeout: number;
}

/** Requests; each rejects with Exit: refused (status 1) or not reachable (status 3). */
export interface Daemon {
  vifs(): Promise<readonly VifDump[]>;
  vif(id: number): Promise<VifDump>;
  vifDrops(id: number): Promise<DropstatsDump>;
  nexthops(): Promise<readonly NexthopDump[]>;
  nexthop(id: number): Promise<NexthopDump>;
  mpls(): Promise<readonly MplsDump[]>;
  mplsLabel(label: number): Promise<MplsDump>;
  vxlan(): Promise<readonly VxlanDump[]>;
  vxlanVni(vni: number): Promise<VxlanDump>;
  mirrors(): Promise<readonly MirrorDump[]>;
  mirror(index: number): Promise<MirrorDump>;
  inetRoutes(vrf: number, family: InetFamily): Promise<readonly InetRouteDump[]>;
  inetRoute(vrf: number, family: InetFamily, address: string, length: number): Promise<InetRouteDump>;
  bridgeRoutes(vrf: number): Promise<readonly BridgeRouteDump[]>;
  bridgeRoute(vrf: number, mac: string): Promise<BridgeRouteDump>;
  /** One flow after the other, as they come: there may be more than memory holds. */
  flows(listing: FlowListing): AsyncIterable<FlowDump>;
  flow(index: number): Promise<FlowDump>;
  flowTable(): Promise<FlowTableDump>;
  flowCounts(): Promise<FlowCountsDump>;
  changeFlow(index: number, op: FlowOp): Promise<void>;
  /** Forgets the flows that match, or all; resolves to how many pairs that were. */
  flushFlows(match: string | undefined): Promise<number>;
  trace(request: TraceRequest): Promise<TraceDump>;
  /** The next real packets that match, as they come. */
  traceLive(query: LiveQuery): AsyncIterable<LiveTrace>;
  /** How far packets of a network for an address get. */
  probe(request: ProbeRequest): Promise<ProbeDump>;
  dropstats(): Promise<DropstatsDump>;
  vrfstats(): Promise<readonly VrfstatsDump[]>;
  vrfstatsOf(vrf: number): Promise<VrfstatsDump>;
  status(): Promise<StatusDump>;
  hosts(): Promise<readonly HostDump[]>;
  host(name: string): Promise<HostDump>;
  /** `to` as `redis` in the daemon's configuration file. */
  copyStore(request: { to: unknown; prefix?: string; force: boolean }): Promise<StoreCopyDump>;
  apply(documents: readonly unknown[], options: { dryRun: boolean; prune: boolean }): Promise<readonly ObjectOutcome[]>;
  remove(documents: readonly unknown[]): Promise<readonly ObjectOutcome[]>;
  objects(kind?: string, name?: string): Promise<readonly unknown[]>;
  /** Waits at most `timeoutSeconds` until everything stored is realised. */
  wait(timeoutSeconds: number): Promise<WaitDump>;
}

/** The daemon that listens on `socket`. */
export function connect(socket: string): Daemon {
  const get = (path: string, timeoutMs?: number): Promise<unknown> =>
    exchange(socket, 'GET', path, undefined, timeoutMs);
  const post = (path: string, body: unknown): Promise<unknown> =>
    exchange(socket, 'POST', path, body, CHANGE_TIMEOUT_MS);
  const query = (values: Readonly<Record<string, string | number | boolean | undefined>>): string =>
    new URLSearchParams(
      Object.entries(values).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    ).toString();
  return {
    vifs: async () => (await get('/v1/vif')) as VifDump[],
    vif: async (id) => (await get(`/v1/vif/${id}`)) as VifDump,
    vifDrops: async (id) => (await get(`/v1/vif/${id}/drops`)) as DropstatsDump,
    nexthops: async () => (await get('/v1/nh')) as NexthopDump[],
    nexthop: async (id) => (await get(`/v1/nh/${id}`)) as NexthopDump,
    mpls: async () => (await get('/v1/mpls')) as MplsDump[],
    mplsLabel: async (label) => (await get(`/v1/mpls/${label}`)) as MplsDump,
    vxlan: async () => (await get('/v1/vxlan')) as VxlanDump[],
    vxlanVni: async (vni) => (await get(`/v1/vxlan/${vni}`)) as VxlanDump,
    mirrors: async () => (await get('/v1/mirror')) as MirrorDump[],
    mirror: async (index) => (await get(`/v1/mirror/${index}`)) as MirrorDump,
    inetRoutes: async (vrf, family) => (await get(`/v1/rt/${vrf}/${family}`)) as InetRouteDump[],
    inetRoute: async (vrf, family, address, length) =>
      (await get(`/v1/rt/${vrf}/${family}/${address}/${length}`)) as InetRouteDump,
    bridgeRoutes: async (vrf) => (await get(`/v1/rt/${vrf}/bridge`)) as BridgeRouteDump[],
    bridgeRoute: async (vrf, mac) => (await get(`/v1/rt/${vrf}/bridge/${mac}`)) as BridgeRouteDump,
    flows: (listing) => records(socket, `/v1/flow?${query({ ...listing })}`) as AsyncIterable<FlowDump>,
    flow: async (index) => (await get(`/v1/flow/${index}`)) as FlowDump,
    flowTable: async () => (await get('/v1/flow-table')) as FlowTableDump,
    flowCounts: async () => (await get('/v1/flow-table/counts')) as FlowCountsDump,
    changeFlow: async (index, op) => {
      await post(`/v1/flow/${index}/${op}`, {});
    },
    flushFlows: async (match) => ((await post('/v1/flow-table/flush', { match })) as { readonly pairs: number }).pairs,
    trace: async (request) => (await post('/v1/trace', request)) as TraceDump,
    traceLive: (live) =>
      records(
        socket,
        `/v1/trace/live?${query({ ...live })}`,
        live.timeout * 1000 + TIMEOUT_MS,
      ) as AsyncIterable<LiveTrace>,
    probe: async (request) => (await post('/v1/probe', request)) as ProbeDump,
    dropstats: async () => (await get('/v1/dropstats')) as DropstatsDump,
    vrfstats: async () => (await get('/v1/vrfstats')) as VrfstatsDump[],
    vrfstatsOf: async (vrf) => (await get(`/v1/vrfstats/${vrf}`)) as VrfstatsDump,
    status: async () => (await get('/v1/status')) as StatusDump,
    hosts: async () => (await get('/v1/hosts')) as HostDump[],
    host: async (name) => (await get(`/v1/hosts/${encodeURIComponent(name)}`)) as HostDump,
    copyStore: async (request) => (await post('/v1/store/copy', request)) as StoreCopyDump,
    apply: async (documents, options) => (await post('/v1/apply', { documents, ...options })) as ObjectOutcome[],
    remove: async (documents) => (await post('/v1/delete', { documents })) as ObjectOutcome[],
    objects: async (kind, name) => (await get(`/v1/objects?${query({ kind, name })}`)) as unknown[],
    wait: async (seconds) => (await get(`/v1/wait?timeout=${seconds}`, seconds * 1000 + TIMEOUT_MS)) as WaitDump,
  };
}

/** One request and its whole answer. */
async function exchange(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs = TIMEOUT_MS,
): Promise<unknown> {
  const response = await send(socketPath, method, path, body, timeoutMs);
  const text = await whole(response, socketPath);
  if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, text);
  if (response.headers['content-type']?.startsWith('application/x-ndjson') !== true) return JSON.parse(text);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** The records of a list, while they come. Who stops taking them ends the request. */
async function* records(socketPath: string, path: string, timeoutMs = TIMEOUT_MS): AsyncGenerator {
  const response = await send(socketPath, 'GET', path, undefined, timeoutMs);
  if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await whole(response, socketPath));
  let rest = '';
  try {
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line);
    }
  } catch (error) {
    throw broken(socketPath, error as NodeJS.ErrnoException);
  }
}

/** Sends a request; resolves to the answer, whose body is still to be read. */
const send = (
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers =
      body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    const options = { socketPath, method, path, headers, timeout: timeoutMs, agent: false };
    const request = httpRequest(options, resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      reject(broken(socketPath, error));
    });
    request.on('timeout', () => request.destroy());
    request.end(payload);
  });

async function whole(response: IncomingMessage, socketPath: string): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  } catch (error) {
    throw broken(socketPath, error as NodeJS.ErrnoException);
  }
}

const broken = (socketPath: string, error: NodeJS.ErrnoException): Exit =>
  error instanceof Exit ? error : new Exit(STATUS.unreachable, notReachable(socketPath, error.code));

function notReachable(socket: string, code: string | undefined): string {
  if (code === 'EACCES') return `no permission to use ${socket}; run as root or as a member of its group`;
  return `vrouterd does not answer on ${socket}; start it with: systemctl start vrouterd (or vrouterd --config FILE)`;
}

/** The daemon's own words; an answer that is not its own keeps its status. */
function refusal(status: number, text: string): Exit {
  try {
    return new Exit(STATUS.refused, (JSON.parse(text) as ErrorReply).error.message);
  } catch {
    return new Exit(STATUS.refused, `the daemon answered with status ${status}; look at its log`);
  }
}
