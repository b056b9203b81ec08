/** What `vrouter` prints. */
import type { ObjectOutcome, StatusDump, WaitDump } from '../control/dumps.js';
import { type Kind, KINDS, type ObjectRef, subject } from '../control/kinds.js';
import type { ResourceOf, StatusOf } from '../control/schema.js';
import { table } from './columns.js';
import type { Output } from './vrouter-args.js';
import { formatYaml } from './vrouter-documents.js';

/** `VirtualNetwork/blue` of a kind and a full name. */
const shown = (of: { readonly kind: string; readonly name: string }): string => subject(of as ObjectRef);

/** One line per object; with a dry run also one per field that would change. */
export function formatOutcomes(outcomes: readonly ObjectOutcome[], dryRun: boolean): string {
  const suffix = dryRun ? ' (dry run)' : '';
  return outcomes
    .map((one) => `${shown(one)} ${one.outcome}${suffix}\n${(one.changes ?? []).map(formatChange).join('')}`)
    .join('');
}

const formatChange = ({ path, from, to }: NonNullable<ObjectOutcome['changes']>[number]): string =>
  `  ${path}: ${value(from)} -> ${value(to)}\n`;

const value = (of: unknown): string => (of === undefined || of === null ? '(none)' : JSON.stringify(of));

/** What the daemon adds to the status of an interface: where it is, and how far. `reason` says why it is not active. */
interface Realisation {
  readonly host?: string;
  readonly vif?: number;
  readonly state?: string;
  readonly reason?: string;
}

/** An object as the daemon shows it: its document and its status. */
type Shown<K extends Kind> = ResourceOf<K> & { readonly status: StatusOf[K] & Realisation };

type Column<K extends Kind> = readonly [string, (object: Shown<K>) => string | number | undefined];

/** What `get` shows of each kind behind the name: titles and cells. */
const COLUMNS: { readonly [K in Kind]: readonly Column<K>[] } = {
  NetworkPolicy: [
    ['RULES', ({ spec }) => spec.rules.length],
    ['PASS', ({ spec }) => spec.rules.filter(({ action }) => action === 'pass').length],
    ['DENY', ({ spec }) => spec.rules.filter(({ action }) => action === 'deny').length],
  ],
  SecurityGroup: [
    ['INGRESS', ({ spec }) => spec.ingress.length],
    ['EGRESS', ({ spec }) => spec.egress.length],
  ],
  VirtualNetwork: [
    ['ID', ({ status }) => status.networkId],
    ['MODE', ({ spec }) => spec.forwardingMode],
    ['SUBNETS', ({ spec }) => spec.subnets.map(({ prefix }) => prefix).join(',')],
    ['POLICIES', ({ spec }) => spec.policies.map((name) => short('NetworkPolicy', name)).join(',')],
  ],
  VirtualMachineInterface: [
    ['NETWORK', ({ spec }) => short('VirtualNetwork', spec.virtualNetwork)],
    ['HOST', ({ spec, status }) => status.host ?? spec.host],
    ['VIF', ({ status }) => status.vif],
    ['DEVICE', ({ status }) => status.device],
    ['MAC', ({ status }) => status.mac],
    ['ADDRESSES', ({ status }) => status.addresses.join(',')],
    ['STATE', ({ status: { state, reason } }) => (reason ? `${state ?? ''} (${reason})` : state)],
  ],
  TunnelEndpoint: [
    ['ADDRESS', ({ spec }) => spec.address],
    ['ENCAPSULATIONS', ({ spec }) => spec.encapsulations.join(',')],
    [
      'NETWORKS',
      ({ spec }) => spec.networks.map(({ virtualNetwork }) => short('VirtualNetwork', virtualNetwork)).join(','),
    ],
  ],
  ServiceTemplate: [
    ['TYPE', ({ spec }) => spec.type],
    ['MODE', ({ spec }) => spec.mode],
    ['INTERFACES', ({ spec }) => spec.interfaces.join(',')],
  ],
  ServiceInstance: [
    ['TEMPLATE', ({ spec }) => short('ServiceTemplate', spec.template)],
    ['LEFT', ({ spec }) => short('VirtualMachineInterface', spec.interfaces.left)],
    ['ADDRESS', ({ status }) => status.address ?? '-'],
  ],
  MirrorDestination: [
    ['HEADER', ({ spec }) => (spec.juniperHeader ? 'juniper' : 'none')],
    ['MODE', ({ spec }) => spec.nhMode],
    ['DIRECTION', ({ spec }) => spec.trafficDirection],
    ['INTERFACE', ({ status }) => short('VirtualMachineInterface', status.virtualMachineInterface ?? '-')],
    ['ADDRESS', ({ status }) => status.address ?? '-'],
    ['STATE', ({ status: { state, observation } }) => withReason(state, observation)],
  ],
  FirewallPolicy: [
    ['ACTION', ({ spec }) => spec.action],
    ['RULES', ({ spec }) => spec.rules.length],
    ['STATE', ({ status: { state, observations } }) => withReason(state, observations.join('; '))],
  ],
};

const withReason = (state: string, reason: string): string => (reason === '' ? state : `${state} (${reason})`);

/** A full name as short as it can be. */
const short = (kind: Kind, name: string): string => subject({ kind, name }).slice(kind.length + 1);

/** Objects in the form asked for. Without a kind, a table for each kind there is something of. */
export function formatObjects(
  objects: readonly unknown[],
  kind: Kind | undefined,
  form: Exclude<Output, 'json'>,
): string {
  if (form === 'yaml') return formatYaml(objects);
  const shown = objects as readonly Shown<Kind>[];
  if (kind !== undefined) return formatKind(kind, shown, '');
  const kinds = KINDS.filter((one) => shown.some((object) => object.kind === one));
  const tables = kinds.map((one) =>
    formatKind(
      one,
      shown.filter((object) => object.kind === one),
      `${one}/`,
    ),
  );
  return tables.join('\n');
}

function formatKind(kind: Kind, objects: readonly Shown<Kind>[], prefix: string): string {
  const columns = COLUMNS[kind] as readonly Column<Kind>[];
  const rows = objects.map((object) => {
    const { domain, project, name } = object.metadata;
    return [
      prefix + short(kind, `${domain}:${project}:${name}`),
      ...columns.map(([, cell]) => String(cell(object) ?? '').replace(/^$/, '-')),
    ];
  });
  return table([['NAME', ...columns.map(([title]) => title)], ...rows]);
}

/** What `wait` waits for. */
export const pendingText = ({ pending }: WaitDump): string =>
  pending.map((one) => `${shown(one)} (${one.reason})`).join(', ') || 'the datapath';

/** `1 d 2 h 3 min`, or seconds below a minute. */
function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

function flowsText({ flows, sessionRecords: { written, lost } }: StatusDump): string {
  const { active, size, created, tableFull, limited } = flows;
  const refused = tableFull + limited;
  return [
    `${active} of ${size} entries (${Math.floor((100 * active) / size)} %)`,
    `${created} sessions made`,
    ...(refused > 0 ? [`${refused} refused for want of room`] : []),
    ...(written + lost > 0 ? [`${written} records written`] : []),
    ...(lost > 0 ? [`${lost} lost`] : []),
  ].join(', ');
}

function tunnelsText({ tunnels: { peers, tunnels, unresolved, labels, vnis } }: StatusDump): string {
  const waiting = unresolved > 0 ? ` (${unresolved} without a way)` : '';
  return `${tunnels}${waiting} to ${peers} ${peers === 1 ? 'host' : 'hosts'}; taken here: ${labels} labels, ${vnis} VNIs`;
}

export function formatStatus(status: StatusDump): string {
  const { store, datapath, interfaces } = status;
  const { received, generated, copied, sent, dropped, consumed } = datapath.books;
  const balance = received + generated + copied === sent + dropped + consumed ? '=' : '!=';
  return table([
    ['host', status.host],
    ['version', `${status.version}, pid ${status.pid}, up ${duration(status.uptimeSeconds)}`],
    [
      'store',
      `${store.mode}, ${store.connected ? 'connected' : 'not connected'}, epoch ${store.epoch || 'not known yet'}`,
    ],
    [
      'datapath',
      `${datapath.running ? 'running' : 'not running'}, last heartbeat ${datapath.heartbeatAgeMs} ms ago, ${datapath.restarts} restarts`,
    ],
    [
      'packets',
      `received ${received} + generated ${generated} + copied ${copied} ${balance} sent ${sent} + dropped ${dropped} + consumed ${consumed}`,
    ],
    ['flows', flowsText(status)],
    ['tunnels', tunnelsText(status)],
    ['networks', String(status.networks)],
    ['interfaces', `${interfaces.total}, ${interfaces.active} active`],
    ...status.warnings.map((warning) => ['warning', warning]),
    ...(dropped > 0 ? [['see', 'dropstats for why packets were dropped, vrouter trace for where one goes']] : []),
  ]);
}
