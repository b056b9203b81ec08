/** What sessions of the soak are held to, at random: none of it keeps guests of one network from pinging each other and their gateway. */
import type { Document } from '../lab/topology.js';
import type { Random } from './random.js';

const POLICIES = ['soak-a', 'soak-b'] as const;
const GROUPS = ['soak-open', 'soak-web'] as const;
/** Rules of networks and of guests are about different packets: they cannot contradict each other. */
const FAT_FLOWS_OF_NETWORKS = [
  { protocol: 'tcp', port: 80 },
  { protocol: 'udp', port: 53, ignoreAddress: 'destination' },
  { protocol: 'icmp', ignoreAddress: 'source' },
] as const;
const FAT_FLOWS_OF_GUESTS = [
  { protocol: 'tcp', port: 443, ignoreAddress: 'source' },
  { protocol: 'udp', sourcePrefix: '10.60.0.0/16', sourceAggregateLength: 24 },
  { protocol: 'sctp' },
] as const;
const SOME_PORTS = ['22-23', '1024-65535', 80] as const;
const EVERYTHING = { remotePrefix: '0.0.0.0/0' } as const;

const resource = (kind: string, name: string, spec: Document): Document => ({
  apiVersion: 'vrouter/v1',
  kind,
  metadata: { name },
  spec,
});

const some = <T>(random: Random, list: readonly T[]): T[] => list.filter(() => random.chance(0.5));

/** The policies, each with some rules about networks with these names. */
export function policyDocuments(random: Random, networks: readonly string[]): Document[] {
  const rule = (): Document => ({
    action: random.pick(['pass', 'deny']),
    protocol: random.pick(['any', 'tcp', 'udp', 'icmp', 132]),
    direction: random.pick(['<>', '>']),
    source: { virtualNetwork: random.pick(networks) },
    // Of another network or of a few ports: what is inside a network passes.
    destination: { virtualNetwork: 'soak-nowhere' },
  });
  const connecting = (): Document => {
    const [one, other] = random.shuffled(networks);
    return { ...rule(), source: { virtualNetwork: one }, destination: { virtualNetwork: other } };
  };
  const make = random.chance(0.7) ? connecting : rule;
  return POLICIES.map((name) =>
    resource('NetworkPolicy', name, { rules: Array.from({ length: 1 + random.below(4) }, make) }),
  );
}

/** The security groups: who is in one of them can be pinged by everybody, and ping. */
export function groupDocuments(random: Random): Document[] {
  const ping = ['icmp', 'icmp6'].map((protocol) => ({ protocol }));
  const web = { protocol: 'tcp', ports: [random.pick(SOME_PORTS)], ...EVERYTHING };
  return [
    resource('SecurityGroup', GROUPS[0], { ingress: [{}] }),
    resource('SecurityGroup', GROUPS[1], {
      ingress: [...ping, web, { remoteGroup: random.pick(['self', ...GROUPS]) }],
    }),
  ];
}

/** Part of a network's spec. */
export function networkRestrictions(random: Random): Document {
  return {
    policies: some(random, POLICIES),
    rpf: random.pick(['enable', 'disable']),
    portSecurity: random.chance(0.8),
    fatFlows: some(random, FAT_FLOWS_OF_NETWORKS),
  };
}

/** Part of an interface's spec. */
export function guestRestrictions(random: Random): Document {
  return {
    securityGroups: some(random, GROUPS),
    packetMode: random.chance(0.25),
    fatFlows: some(random, FAT_FLOWS_OF_GUESTS),
    ...(random.chance(0.3) ? { maxFlows: 100_000 + random.below(100_000) } : {}),
  };
}
