/**
 * The resources users write, one YAML document each: `{apiVersion, kind, metadata, spec}`. What these validators let
 * through is complete (defaults filled in) and canonical, so that two documents meaning the same compare equal.
 */
import * as z from 'zod';
import { explain } from './explain.js';
import { namePart, reference, uuid } from './fields.js';
import { API_VERSION, type Kind, KINDS, type ObjectRef } from './kinds.js';
import { DEFAULT_SCOPE, fullName, splitName, type Scope } from './names.js';
import { resolveMirror } from './mirror-to.js';
import { networkPolicySpec, type NetworkPolicySpec, type PolicyPeer } from './network-policy.js';
import { RefusedError } from './refused.js';
import { securityGroupSpec, type SecurityGroupRule, type SecurityGroupSpec } from './security-group.js';
import { shown } from './shown.js';
import {
  virtualMachineInterfaceSpec,
  type VirtualMachineInterfaceSpec,
  type VirtualMachineInterfaceStatus,
} from './virtual-machine-interface.js';
import { resolveDestination } from './destination-name.js';
import {
  firewallPolicySpec,
  type FirewallPolicySpec,
  type FirewallPolicyStatus,
  type SecondaryActions,
} from './firewall-policy.js';
import {
  ANALYZER_LABEL,
  isInternal,
  mirrorDestinationSpec,
  type MirrorDestinationSpec,
  type MirrorDestinationStatus,
  SELECTOR_LABEL,
} from './mirror-destination.js';
import {
  serviceInstanceSpec,
  type ServiceInstanceSpec,
  type ServiceInstanceStatus,
  serviceTemplateSpec,
  type ServiceTemplateSpec,
} from './service-analyzer.js';
import { tunnelEndpointSpec, type TunnelEndpointSpec } from './tunnel-endpoint.js';
import { virtualNetworkSpec, type VirtualNetworkSpec, type VirtualNetworkStatus } from './virtual-network.js';

export { API_VERSION, KINDS, subject } from './kinds.js';
export type { Kind, ObjectRef } from './kinds.js';

const metadata = z
  .strictObject({
    name: reference.describe('NAME, or DOMAIN:PROJECT:NAME'),
    project: namePart.optional().describe(`Default: ${DEFAULT_SCOPE.project}`),
    domain: namePart.optional().describe(`Default: ${DEFAULT_SCOPE.domain}`),
    labels: z.record(z.string(), z.string()).default({}),
    uuid: uuid.optional().describe('Default: version 5, of kind and full name'),
  })
  .transform((given, context) => {
    const scope = { domain: given.domain ?? DEFAULT_SCOPE.domain, project: given.project ?? DEFAULT_SCOPE.project };
    const parts = splitName(given.name, scope) ?? { ...scope, name: given.name };
    for (const part of ['domain', 'project'] as const) {
      if (given[part] === undefined || given[part] === parts[part]) continue;
      context.addIssue({
        code: 'custom',
        path: [part],
        message: `"${given[part]}" is not that of the name, ${given.name}`,
      });
    }
    return { ...parts, labels: given.labels, ...(given.uuid === undefined ? {} : { uuid: given.uuid }) };
  });

/** `status` is what `vrouter get` prints; it may come back, and is not read. */
const document = <K extends string, S extends z.ZodType>(kind: K, spec: S) =>
  z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(kind),
    metadata,
    spec,
    status: z.unknown().optional(),
  });

/** The validator of each kind. */
export const VALIDATORS = {
  NetworkPolicy: document('NetworkPolicy', networkPolicySpec).transform((given) => ({
    ...given,
    spec: {
      rules: given.spec.rules.map((rule) => ({
        ...rule,
        source: resolvePeer(rule.source, given.metadata),
        destination: resolvePeer(rule.destination, given.metadata),
        ...(rule.mirror === undefined ? {} : { mirror: resolveMirror(rule.mirror, given.metadata) }),
      })),
    },
  })),
  SecurityGroup: document('SecurityGroup', securityGroupSpec).transform((given) => ({
    ...given,
    spec: {
      ingress: given.spec.ingress.map((rule) => resolveGroup(rule, given.metadata)),
      egress: given.spec.egress.map((rule) => resolveGroup(rule, given.metadata)),
    },
  })),
  VirtualNetwork: document('VirtualNetwork', virtualNetworkSpec).transform((given) => ({
    ...given,
    spec: { ...given.spec, policies: resolveAll(given.spec.policies, given.metadata) },
  })),
  VirtualMachineInterface: document('VirtualMachineInterface', virtualMachineInterfaceSpec).transform((given) => ({
    ...given,
    spec: {
      ...given.spec,
      virtualNetwork: resolve(given.spec.virtualNetwork, given.metadata),
      securityGroups: resolveAll(given.spec.securityGroups, given.metadata),
      mirrors: given.spec.mirrors.map((mirror) => resolveMirror(mirror, given.metadata)),
    },
  })),
  TunnelEndpoint: document('TunnelEndpoint', tunnelEndpointSpec).transform((given) => ({
    ...given,
    spec: {
      ...given.spec,
      networks: given.spec.networks.map((network) => ({
        ...network,
        virtualNetwork: resolve(network.virtualNetwork, given.metadata),
      })),
    },
  })),
  ServiceTemplate: document('ServiceTemplate', serviceTemplateSpec),
  ServiceInstance: document('ServiceInstance', serviceInstanceSpec).transform((given) => {
    const { left, management } = given.spec.interfaces;
    const full = (name: string): string => resolve(name, given.metadata);
    const interfaces = { left: full(left), ...(management === undefined ? {} : { management: full(management) }) };
    return { ...given, spec: { template: full(given.spec.template), interfaces } };
  }),
  MirrorDestination: document('MirrorDestination', mirrorDestinationSpec).superRefine(checkSelector),
  FirewallPolicy: document('FirewallPolicy', firewallPolicySpec).transform((given) => {
    const { secondaryActions, rules, ...rest } = given.spec;
    const withActions = <T extends object>(of: T, actions: SecondaryActions) =>
      actions === undefined ? of : { ...of, secondaryActions: resolveActions(actions, given.metadata) };
    const resolved = rules.map(({ secondaryActions: own, ...rule }) => withActions(rule, own));
    return { ...given, spec: withActions({ ...rest, rules: resolved }, secondaryActions) };
  }),
} as const satisfies Record<Kind, z.ZodType>;

/** What users want of an object of each kind. */
export interface SpecOf {
  readonly NetworkPolicy: NetworkPolicySpec;
  readonly SecurityGroup: SecurityGroupSpec;
  readonly VirtualNetwork: VirtualNetworkSpec;
  readonly VirtualMachineInterface: VirtualMachineInterfaceSpec;
  readonly TunnelEndpoint: TunnelEndpointSpec;
  readonly ServiceTemplate: ServiceTemplateSpec;
  readonly ServiceInstance: ServiceInstanceSpec;
  readonly MirrorDestination: MirrorDestinationSpec;
  readonly FirewallPolicy: FirewallPolicySpec;
}

export type Metadata = z.output<typeof metadata>;
export interface ResourceOf<K extends Kind> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: K;
  readonly metadata: Metadata;
  readonly spec: SpecOf[K];
}
/** One valid document. */
export type Resource = { [K in Kind]: ResourceOf<K> }[Kind];

/** What is decided when an object is applied, kept with it and never written by users. */
export interface StatusOf {
  readonly NetworkPolicy: Readonly<Record<string, never>>;
  readonly SecurityGroup: Readonly<Record<string, never>>;
  readonly VirtualNetwork: VirtualNetworkStatus;
  readonly VirtualMachineInterface: VirtualMachineInterfaceStatus;
  readonly TunnelEndpoint: Readonly<Record<string, never>>;
  readonly ServiceTemplate: Readonly<Record<string, never>>;
  readonly ServiceInstance: ServiceInstanceStatus;
  readonly MirrorDestination: MirrorDestinationStatus;
  readonly FirewallPolicy: FirewallPolicyStatus;
}

/**
 * Reads one document. `position` (from 1) names it while it has no name of its own. Throws RefusedError with the path of
 * the first field that is wrong.
 */
export function parseDocument(raw: unknown, position = 1): Resource {
  const kind = kindOf(raw, position);
  const result = VALIDATORS[kind].safeParse(raw);
  if (!result.success) throw explain(result.error.issues[0], raw, subjectOf(raw, kind, position));
  const { apiVersion, metadata, spec } = result.data;
  return { apiVersion, kind, metadata, spec } as Resource;
}

/** Which object a document is about, without looking at its spec. Throws RefusedError. */
export function parseReference(raw: unknown, position = 1): ObjectRef {
  const kind = kindOf(raw, position);
  const result = z.looseObject({ metadata }).safeParse(raw);
  if (!result.success) throw explain(result.error.issues[0], raw, subjectOf(raw, kind, position));
  return { kind, name: fullName(result.data.metadata) };
}

/** Which object a user means by kind and short or full name. Throws RefusedError. */
export function namedObject(kind: string, name: string): ObjectRef {
  const parts = splitName(name, DEFAULT_SCOPE);
  if (parts === undefined)
    throw new RefusedError('invalid', `${shown(name)} is not a name; use NAME or DOMAIN:PROJECT:NAME`);
  return { kind: parseKind(kind), name: fullName(parts) };
}

function kindOf(raw: unknown, position: number): Kind {
  const unnamed = `document ${position}`;
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new RefusedError('invalid', `${unnamed}: is not a resource; write apiVersion, kind, metadata and spec`, '');
  }
  const { kind } = raw as { kind?: unknown };
  if (kind === undefined)
    throw RefusedError.field('invalid', unnamed, 'kind', `is missing; use one of ${KINDS.join(', ')}`);
  return parseKind(kind, `${unnamed}: kind: `);
}

/** One of the kinds; `where` begins the message when it is none. Throws RefusedError. */
export function parseKind(kind: unknown, where = ''): Kind {
  const known = KINDS.find((k) => k === kind);
  if (known !== undefined) return known;
  throw new RefusedError('invalid', `${where}${shown(kind)} is not a kind; use one of ${KINDS.join(', ')}`, 'kind');
}

function subjectOf(raw: unknown, kind: Kind, position: number): string {
  const { metadata: given } = raw as { metadata?: { name?: unknown } | null };
  return typeof given?.name === 'string' ? `${kind}/${given.name}` : `document ${position} (${kind})`;
}

function resolve(text: string, scope: Scope): string {
  const parts = splitName(text, scope);
  return parts === undefined ? text : fullName(parts);
}

/** Each name once, in the order given. */
function resolveAll(names: readonly string[], scope: Scope): string[] {
  return [...new Set(names.map((name) => resolve(name, scope)))];
}

function resolvePeer(peer: PolicyPeer, scope: Scope): PolicyPeer {
  const { virtualNetwork } = peer;
  return virtualNetwork === undefined ? peer : { ...peer, virtualNetwork: resolve(virtualNetwork, scope) };
}

function resolveActions({ mirrorTo }: NonNullable<SecondaryActions>, scope: Scope): NonNullable<SecondaryActions> {
  return { mirrorTo: [...new Set(mirrorTo.map((name) => resolveDestination(name, scope)))] };
}

/** A destination among the guests says by a label which of them may be it. */
function checkSelector(
  { metadata: { labels }, spec }: { metadata: Metadata; spec: MirrorDestinationSpec },
  context: z.core.$RefinementCtx,
): void {
  if (!isInternal(spec) || SELECTOR_LABEL in labels) return;
  const message = `are without ${SELECTOR_LABEL}, whose value is that of the label ${ANALYZER_LABEL} of the analyzer's interface; add it, or name an external analyzer`;
  context.addIssue({ code: 'custom', path: ['metadata', 'labels'], message });
}

/** `self` is the group the rule is of. */
function resolveGroup(rule: SecurityGroupRule, own: Metadata): SecurityGroupRule {
  const { remoteGroup } = rule;
  if (remoteGroup === undefined) return rule;
  return { ...rule, remoteGroup: remoteGroup === 'self' ? fullName(own) : resolve(remoteGroup, own) };
}

/** Specs that leave everything to its default, for what an earlier version stored without a field there is now. */
const DEFAULTS: { readonly [K in Kind]: Partial<SpecOf[K]> } = {
  NetworkPolicy: networkPolicySpec.parse({}),
  SecurityGroup: {},
  VirtualNetwork: virtualNetworkSpec.parse({}),
  VirtualMachineInterface: { securityGroups: [], packetMode: false, fatFlows: [], mirrors: [] },
  TunnelEndpoint: {},
  ServiceTemplate: {},
  ServiceInstance: {},
  MirrorDestination: {},
  FirewallPolicy: {},
};

/** A stored spec with the fields that were not there yet when it was stored. */
export function withDefaults<K extends Kind>(kind: K, spec: SpecOf[K]): SpecOf[K] {
  return { ...DEFAULTS[kind], ...spec };
}
