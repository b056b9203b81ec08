import type { ExecutionContext } from 'ava';
import type { VifDump } from '../../../daemon/src/control/dumps.js';
import type { Daemon } from './daemon.js';
import { Lab } from './lab.js';
import type { Namespace } from './namespace.js';

/** A resource as a user would write it. */
export type Document = Readonly<Record<string, unknown>>;

/** A network; 5.5.5.0/24 unless `spec` says otherwise. */
export function network(name: string, spec: Document = {}): Document {
  const subnets = [{ prefix: '5.5.5.0/24' }];
  return { apiVersion: 'vrouter/v1', kind: 'VirtualNetwork', metadata: { name }, spec: { subnets, ...spec } };
}

export function port(name: string, virtualNetwork: string, attach: Document, more: Document = {}): Document {
  const spec = { virtualNetwork, attach, ...more };
  return { apiVersion: 'vrouter/v1', kind: 'VirtualMachineInterface', metadata: { name }, spec };
}

/** Attachment of a namespace whose guest configures itself. */
export function inside(guest: Namespace, more: Document = {}): Document {
  return { type: 'netns', netns: guest.name, configure: false, ...more };
}

/** What a port became: its status, and its interface in the vRouter. */
export interface Port {
  readonly device: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly vif: VifDump;
}

export async function portOf(daemon: Daemon, name: string): Promise<Port> {
  const { status } = await daemon.object<{ status: Omit<Port, 'vif'> }>('VirtualMachineInterface', name);
  const vif = (await daemon.dump<VifDump[]>('vif', '--list')).find(({ name: device }) => device === status.device);
  if (vif === undefined) throw new Error(`no interface of the vRouter is called ${status.device}`);
  return { ...status, vif };
}

export interface TwoGuests {
  readonly lab: Lab;
  readonly daemon: Daemon;
  readonly a: Namespace;
  readonly b: Namespace;
}

/**
 * A daemon with one network, `blue`, and two guests in namespaces behind ports called `a` and `b`, which have their addresses by DHCP.
 * `spec` is the network's; `attach` adds to the ports' attachment.
 */
export async function twoGuests(t: ExecutionContext, spec: Document = {}, attach: Document = {}): Promise<TwoGuests> {
  const lab = await Lab.create(t);
  const daemon = await lab.daemon();
  const a = await lab.namespace('a');
  const b = await lab.namespace('b');
  await daemon.apply(network('blue', spec), port('a', 'blue', inside(a, attach)), port('b', 'blue', inside(b, attach)));
  await a.dhcp();
  await b.dhcp();
  return { lab, daemon, a, b };
}
