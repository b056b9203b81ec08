import type { PolicyRule } from '../control/network-policy.js';
import type { RuleMirror } from '../control/mirror-to.js';
import type { Scope } from '../control/names.js';
import { subject } from '../control/schema.js';
import type { SecurityGroupRule } from '../control/security-group.js';
import type { StoredObject } from '../control/store.js';
import { type Protocol, rangesOf } from '../control/traffic.js';
import { FABRIC } from './compile.js';
import { IP_PROTOCOL } from '../wire/ip-protocol.js';
import type { AclPeer, AclRecord, AclRuleRecord, PortRange, RuleMirrorRecord } from '../tables/records.js';

export type PolicyObject = StoredObject<'NetworkPolicy'>;
export type GroupObject = StoredObject<'SecurityGroup'>;
type Network = Pick<StoredObject<'VirtualNetwork'>, 'name' | 'spec' | 'status'>;

/** Objects by full name. */
type ByName<T> = { get(name: string): T | undefined };

/** What a network has because copies for analyzers go into it, or out of it. */
interface Leaked {
  /** Rules that let copies in. */
  readonly copies: readonly AclRuleRecord[];
  /** Rules that say of copies what a rule of a policy says of the network whose packets they are. */
  readonly like: (rule: AclRuleRecord) => readonly AclRuleRecord[];
  /** Networks it has routes of for that alone. */
  readonly strangers: readonly Pick<Network, 'name' | 'status'>[];
}

/** Whom packets are copied to for a mirror that an object of this scope names; null: nobody. */
type MirrorOf = (mirror: RuleMirror, scope: Scope) => RuleMirrorRecord | null;

/** Protocol of rules that name none, and the end of a session that may be anybody. */
export const ANY_PROTOCOL = -1;
export const ANYBODY: AclPeer = { network: null, prefix: null, group: null };

/**
 * The access list of a network's policies: their rules in order, `<>` as two rules, then everything inside the network; what
 * nothing matches is denied. A rule about a network that does not exist is left out, a policy that is missing has no rules.
 */
export function networkAcl(
  id: number,
  network: Network,
  policies: ByName<PolicyObject>,
  networks: ByName<Network>,
  mirrorOf: MirrorOf,
  { copies, strangers, like }: Leaked = { copies: [], strangers: [], like: () => [] },
): AclRecord {
  const { name, status, spec } = network;
  const rules = spec.policies.flatMap((policyName) => {
    const policy = policies.get(policyName);
    return (policy?.spec.rules ?? []).flatMap((rule, i) => {
      const mirror = rule.mirror === undefined || !policy ? null : mirrorOf(rule.mirror, policy.metadata);
      const mirrors = mirror === null ? [] : [mirror];
      const own = `${subject({ kind: 'NetworkPolicy', name: policyName })} rules[${i}]`;
      return policyRules(rule, own, networks).flatMap((one): AclRuleRecord[] => {
        return [{ ...one, mirrors }, ...like(one)];
      });
    });
  });
  rules.push(...copies);
  const inside = { ...ANYBODY, network: status.networkId };
  const own = subject({ kind: 'VirtualNetwork', name });
  if (spec.policies.length === 0) {
    rules.push(...strangers.flatMap((stranger) => apart(inside, stranger)));
    const hosts = { ...ANYBODY, network: FABRIC.network };
    if (copies.length > 0)
      rules.push({
        ...ruleOf(`apart from ${FABRIC.name}`, ANY_PROTOCOL, { source: hosts, destination: inside }),
        action: 'deny',
      });
    return { id, name, rules, otherwise: 'pass' };
  }
  rules.push(ruleOf(`${own} itself`, ANY_PROTOCOL, { source: inside, destination: inside }));
  return { id, name, rules, otherwise: 'deny' };
}

function policyRules(rule: PolicyRule, name: string, networks: ByName<Network>): AclRuleRecord[] {
  const ends = [rule.source, rule.destination];
  const peers = ends.flatMap(({ virtualNetwork, subnet = null }): AclPeer[] => {
    if (virtualNetwork === undefined) return [{ ...ANYBODY, prefix: subnet }];
    const number = virtualNetwork === FABRIC.name ? FABRIC.network : networks.get(virtualNetwork)?.status.networkId;
    return number === undefined ? [] : [{ ...ANYBODY, network: number }];
  });
  if (peers.length < ends.length) return [];
  const [source, destination] = peers;
  const [sourcePorts, destinationPorts] = ends.map(({ ports }) => rangesOf(ports));
  const { action, log } = rule;
  const common = { ...ruleOf(name, protocolNumber(rule.protocol), { source, destination }), action, log };
  const there = { ...common, sourcePorts, destinationPorts };
  if (rule.direction === '>') return [there];
  const back = {
    ...common,
    source: destination,
    destination: source,
    sourcePorts: destinationPorts,
    destinationPorts: sourcePorts,
  };
  const isSymmetric = isSamePeer(source, destination) && String(sourcePorts) === String(destinationPorts);
  return isSymmetric ? [there] : [there, back];
}

/** Nothing passes between a network and another one. */
function apart(inside: AclPeer, { name, status }: Pick<Network, 'name' | 'status'>): AclRuleRecord[] {
  const there = { ...ANYBODY, network: status.networkId };
  const rule = ruleOf(`apart from ${subject({ kind: 'VirtualNetwork', name })}`, ANY_PROTOCOL, {
    source: inside,
    destination: there,
  });
  return [
    { ...rule, action: 'deny' },
    { ...rule, action: 'deny', source: there, destination: inside },
  ];
}

function isSamePeer(a: AclPeer, b: AclPeer): boolean {
  return a.network === b.network && a.prefix === b.prefix;
}

/**
 * The access list of a set of security groups for one direction: what any rule of any of them allows passes, the rest is denied.
 * A group that is missing allows nothing.
 */
export function groupAcl(
  id: number,
  side: 'ingress' | 'egress',
  names: readonly string[],
  groups: ByName<GroupObject>,
  numberOfGroup: (name: string) => number,
): AclRecord {
  const rules = names.flatMap((name) => {
    const own = subject({ kind: 'SecurityGroup', name });
    return (groups.get(name)?.spec[side] ?? []).map((rule, i) => {
      const remote = {
        ...ANYBODY,
        prefix: rule.remotePrefix ?? null,
        group: rule.remoteGroup === undefined ? null : numberOfGroup(rule.remoteGroup),
      };
      const peers =
        side === 'egress' ? { source: ANYBODY, destination: remote } : { source: remote, destination: ANYBODY };
      return { ...ruleOf(`${own} ${side}[${i}]`, protocolNumber(rule.protocol), peers), ...groupPorts(rule) };
    });
  });
  return { id, name: `${names.join(', ')} ${side}`, rules, otherwise: 'deny' };
}

/** Ports a rule of a security group is about: those a session goes to, or type and code of ICMP. */
function groupPorts({
  ports,
  icmpType,
  icmpCode,
}: SecurityGroupRule): Pick<AclRuleRecord, 'sourcePorts' | 'destinationPorts'> {
  const one = (value: number | undefined): PortRange[] => (value === undefined ? [] : [[value, value]]);
  if (icmpType !== undefined) return { sourcePorts: one(icmpType), destinationPorts: one(icmpCode) };
  return { sourcePorts: [], destinationPorts: rangesOf(ports) };
}

/** A rule that lets everything of a protocol pass between two ends. */
export function ruleOf(
  name: string,
  protocol: number,
  { source, destination }: Pick<AclRuleRecord, 'source' | 'destination'>,
): AclRuleRecord {
  return {
    name,
    action: 'pass',
    protocol,
    source,
    destination,
    sourcePorts: [],
    destinationPorts: [],
    log: false,
    mirrors: [],
  };
}

/** IP protocol number of a rule's protocol; any: -1. */
export function protocolNumber(protocol: Protocol): number {
  if (protocol === 'any') return ANY_PROTOCOL;
  return typeof protocol === 'number' ? protocol : IP_PROTOCOL[protocol];
}
