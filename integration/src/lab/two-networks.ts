import type { ExecutionContext } from 'ava';
import type { FlowDump } from '../../../daemon/src/control/flow-dumps.js';
import type { Daemon } from './daemon.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import type { Background } from './process.js';
import { type Document, inside, network, port } from './topology.js';

/** A policy of these rules. */
export const policy = (name: string, ...rules: readonly Document[]): Document => ({
  apiVersion: 'vrouter/v1',
  kind: 'NetworkPolicy',
  metadata: { name },
  spec: { rules },
});

export const group = (name: string, spec: Document = {}): Document => ({
  apiVersion: 'vrouter/v1',
  kind: 'SecurityGroup',
  metadata: { name },
  spec,
});

/** A rule between the networks `left` and `right`. */
export const between = (rule: Document = {}): Document => ({
  source: { virtualNetwork: 'left' },
  destination: { virtualNetwork: 'right' },
  ...rule,
});

export const leftNetwork = (policies: readonly string[] = [], spec: Document = {}): Document =>
  network('left', { subnets: [{ prefix: '10.1.0.0/24' }], policies, ...spec });
export const rightNetwork = (policies: readonly string[] = [], spec: Document = {}): Document =>
  network('right', { subnets: [{ prefix: '10.2.0.0/24' }], policies, ...spec });

/** Addresses of the guests. */
export const A = '10.1.0.3';
export const B = '10.2.0.3';

export interface TwoNetworks {
  readonly lab: Lab;
  readonly daemon: Daemon;
  readonly a: Namespace;
  readonly b: Namespace;
}

/**
 *   ┌ a ────────────┐   ┌ host ─────────┐   ┌ b ────────────┐
 *   │ eth0 10.1.0.3 ├───┤ left    right ├───┤ eth0 10.2.0.3 │
 *   └───────────────┘   └───────────────┘   └───────────────┘
 *
 * A daemon with the networks `left` and `right`, each with a guest that has its address and its default route. `documents` come with them.
 */
export async function twoNetworks(t: ExecutionContext, ...documents: readonly Document[]): Promise<TwoNetworks> {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const a = await lab.namespace('a');
  const b = await lab.namespace('b');
  const known = new Set(documents.map((one) => JSON.stringify([one.kind, one.metadata])));
  const rest = [leftNetwork(), rightNetwork(), guestPort('a', 'left', a), guestPort('b', 'right', b)];
  await daemon.apply(...documents, ...rest.filter((one) => !known.has(JSON.stringify([one.kind, one.metadata]))));
  return { lab, daemon, a, b };
}

/** Flows of a host, as `10.1.0.3 > 10.2.0.3 forward` or, of refused ones, `... Policy`; in no order. */
export async function flows(daemon: Daemon): Promise<string[]> {
  const entries = await daemon.dump<FlowDump[]>('flow', '-l');
  return entries.map(
    ({ source, destination, action, dropReason }) => `${source} > ${destination} ${dropReason ?? action}`,
  );
}

/** The port of a guest whose namespace is configured by the daemon. */
export const guestPort = (name: string, virtualNetwork: string, guest: Namespace, more: Document = {}): Document =>
  port(name, virtualNetwork, inside(guest, { configure: true }), more);

/** Serves TCP on a port until the test is over. */
export async function serve(guest: Namespace, tcpPort: number): Promise<Background> {
  const script = `require('net').createServer((s) => s.pipe(s)).listen(${tcpPort}, '::', () => console.log('serving'))`;
  const server = guest.spawn([process.execPath, '-e', script]);
  await server.waitFor(/serving/);
  return server;
}

/** Whether a TCP connection is made within a second and a half. */
export async function connects(guest: Namespace, address: string, tcpPort: number): Promise<boolean> {
  const script = `const s = require('net').connect(${tcpPort}, '${address}', () => process.exit(0));
    s.on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 1500);`;
  return (await guest.attempt([process.execPath, '-e', script])).code === 0;
}
