import test from 'ava';
import fc from 'fast-check';
import { VIF } from '../tables/counters.js';
import { FLOW, FLOW_FLAG, FLOW_HEADER, FLOW_OWN, newFlowKey } from '../tables/flow.js';
import type { AclRecord, FatFlowRecord } from '../tables/records.js';
import { aclRule, ANYBODY } from '../testing/acl-rules.js';
import { entries } from '../testing/flow-entries.js';
import { GATEWAY_MAC, ipOf, macOf, type NetworkOptions, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { decide, FlowDecision } from './flow-decide.js';
import { flowCommand, flowUpkeep } from './flow-upkeep.js';

const GUESTS: readonly number[] = [3, 4, 5, 6];

const guest = fc.constantFrom(...GUESTS);
const port = fc.constantFrom(1, 2, 22);
const packet = fc.record({
  kind: fc.constant('packet' as const),
  from: guest,
  to: guest,
  /** Whose address it claims to come from, 77: nobody's. */
  source: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(3, 4, 5, 6, 77) }),
  routed: fc.boolean(),
  forged: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
  protocol: fc.constantFrom('udp', 'tcp', 'icmp'),
  sport: port,
  dport: port,
  flags: fc.constantFrom(0x02, 0x12, 0x10, 0x11, 0x04),
  seq: fc.constantFrom(1, 2, 3),
  ack: fc.constantFrom(1, 2, 3),
});
type Shot = typeof packet extends fc.Arbitrary<infer T> ? T : never;

const mirror = fc.record({ mirror: fc.constantFrom(0, 1, 2), forward: fc.boolean(), reverse: fc.boolean() });
const acl = fc
  .array(
    fc.record({
      port,
      deny: fc.boolean(),
      prefix: fc.constantFrom(null, '5.5.5.3/32', '5.5.5.4/31'),
      mirrors: fc.array(mirror, { maxLength: 2 }),
    }),
    { maxLength: 3 },
  )
  .map((rules) =>
    rules.map(({ port: only, deny, prefix, mirrors }) =>
      aclRule({
        action: deny ? 'deny' : 'pass',
        source: { ...ANYBODY, prefix },
        destinationPorts: [[only, only + 5]],
        mirrors,
      }),
    ),
  );
const fat: fc.Arbitrary<FatFlowRecord> = fc.record({
  protocol: fc.constantFrom(6, 17, 1),
  port: fc.constantFrom(0, 22),
  ignore: fc.constantFrom('none', 'source', 'destination'),
  source: fc.constant(null),
  destination: fc.constant(null),
});
const change = fc.record({
  kind: fc.constant('change' as const),
  guests: fc.integer({ min: 1, max: 4 }),
  rules: acl,
  otherwise: fc.constantFrom('pass', 'deny'),
  acl: fc.constantFrom(-1, 1),
  ingress: fc.subarray([...GUESTS]),
  packetMode: fc.oneof({ weight: 3, arbitrary: fc.constant<number[]>([]) }, fc.subarray([...GUESTS])),
  unsafe: fc.oneof({ weight: 3, arbitrary: fc.constant<number[]>([]) }, fc.subarray([...GUESTS])),
  fat: fc.dictionary(fc.constantFrom('3', '4', '5', '6'), fc.array(fat, { minLength: 1, maxLength: 2 }), {
    maxKeys: 2,
  }),
  mode: fc.constantFrom('l2_l3', 'l3'),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const upkeep = fc.record({ kind: fc.constant('upkeep' as const), rounds: fc.integer({ min: 1, max: 3 }) });
const age = fc.record({ kind: fc.constant('age' as const), idleMs: fc.constantFrom(0, 500) });
const command = fc.record({
  kind: fc.constant('command' as const),
  op: fc.constantFrom('delete', 'evict', 'drop', 'forward'),
  which: fc.nat(20),
});
const steps = fc.array(
  fc.oneof({ weight: 12, arbitrary: packet }, change, { weight: 2, arbitrary: upkeep }, age, command),
  { maxLength: 60 },
);

function frameOf({ from, to, source, routed, forged, protocol, sport, dport, flags, seq, ack }: Shot): Uint8Array {
  const l3 = eth({ src: forged ? '02:99:00:00:00:01' : macOf(from), dst: routed ? GATEWAY_MAC : macOf(to) }).ipv4({
    src: ipOf(source === 0 ? from : source),
    dst: ipOf(to),
  });
  if (protocol === 'udp') return l3.udp(sport, dport).bytes();
  if (protocol === 'tcp') return l3.tcp(sport, dport, { flags, seq, ack }).bytes();
  return l3.ping({ type: sport === 1 ? 8 : 0, ident: dport, seq: 1 }).bytes();
}

function optionsOf(c: Change): Partial<NetworkOptions> {
  const record: AclRecord = { id: 1, name: 'acl', rules: c.rules, otherwise: c.otherwise };
  return {
    guests: c.guests,
    acl: c.acl,
    acls: [record],
    mode: c.mode,
    packetMode: c.packetMode,
    port: (vif) => ({
      ingressAcl: c.ingress.includes(vif) ? 1 : -1,
      portSecurity: !c.unsafe.includes(vif),
      fatFlows: c.fat[String(vif)] ?? [],
    }),
  };
}

/** What must hold at every moment. */
function check(net: TestNetwork): void {
  if (net.imbalance() !== 0) throw new Error(`books are off by ${net.imbalance()}`);
  const all = entries(net);
  const owned = new Map<number, number>();
  for (const entry of all) {
    const { words } = net.flows;
    if (entry.isMirrored !== entry.mirrors.length > 0)
      throw new Error(`flags of ${entry.index} are not those of its mirrors`);
    const { reverse, index } = entry;
    if (reverse >= 0 && !net.flows.isUsed(reverse)) throw new Error(`partner ${reverse} of ${index} is not there`);
    const back = reverse < 0 ? -1 : words[net.flows.at(reverse) + FLOW.reverse];
    if (reverse >= 0 && back !== index) throw new Error(`partner of ${index} has the partner ${back}`);
    if (reverse >= 0 && reverse !== index) {
      const forwards = [index, reverse].filter(
        (i) => ((words[net.flows.at(i) + FLOW.owner] >>> 16) & FLOW_OWN.forward) !== 0,
      );
      if (forwards.length !== 1) throw new Error(`${forwards.length} forward entries in a pair`);
    }
    const forward = net.flows.at(net.dp.flow.forwardOf(index));
    const owner = words[forward + FLOW.owner] & 0xffff;
    // Of an interface that was deleted since, and may be there again, nobody counts.
    if (words[forward + FLOW.epoch] < net.tables.epochs.vifGone[owner]) continue;
    owned.set(owner, (owned.get(owner) ?? 0) + 1);
  }
  for (const vif of GUESTS) {
    const counted = net.counters.words[net.counters.vifAt(vif) + VIF.flows];
    const there = net.tables.vifs.get(vif) ? (owned.get(vif) ?? 0) : 0;
    if (net.tables.vifs.get(vif) && counted !== there) throw new Error(`vif ${vif} counts ${counted} of ${there}`);
  }
  if (net.flows.header[FLOW_HEADER.active] !== all.length) throw new Error('entries are miscounted');
}

/** After the upkeep is done, every session is what it would be if it began now. */
function checkSettled(net: TestNetwork, commanded: ReadonlySet<number>): void {
  const d = new FlowDecision();
  const key = newFlowKey();
  const { flows, tables } = net;
  for (const { index, reverse, own, action, reason } of entries(net)) {
    const at = flows.at(index);
    if (flows.words[at + FLOW.epoch] !== tables.epochs.now) throw new Error(`${index} was not looked at`);
    if ((flows.words[at + FLOW.state] & FLOW_FLAG.evictCandidate) !== 0) throw new Error(`${index} is closed`);
    const isWhole = (own & FLOW_OWN.forward) !== 0 && reverse >= 0 && reverse !== index && !commanded.has(index);
    if (!isWhole || (own & (FLOW_OWN.fat | FLOW_OWN.short)) !== 0) continue;
    const from = tables.vifs.get(flows.words[at + FLOW.owner] & 0xffff);
    if (!from) throw new Error(`nobody owns ${index}`);
    flows.keyOf(index, key);
    const to = flows.words[flows.at(reverse) + FLOW.owner] & 0xffff;
    decide(tables, from, key, (own & FLOW_OWN.byMac) !== 0 ? to : -1, flows.words[at + FLOW.tcpSeq], d);
    if (d.action !== action || d.reason !== reason) throw new Error(`${index} is ${action} for ${d.action}`);
    const mirrors = [flows.words[at + FLOW.mirrors], flows.words[flows.at(reverse) + FLOW.mirrors]];
    if (mirrors[0] !== d.mirrors || mirrors[1] !== d.answerMirrors)
      throw new Error(`${index} has mirrors ${mirrors.join()}`);
  }
}

test('whatever guests send and operators change, pairs are whole, books balance, and what is decided holds now', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const net = new TestNetwork({ guests: 4, flowEntries: 64, flowOverflow: 8, flowsPerInterface: 20 });
        const commanded = new Set<number>();
        for (const step of sequence) {
          if (step.kind === 'packet') net.receive(step.from, frameOf(step), { afterMs: 100 });
          else if (step.kind === 'change') net.configure(optionsOf(step));
          else if (step.kind === 'upkeep') for (let i = 0; i < step.rounds; i++) flowUpkeep(net.dp);
          else if (step.kind === 'age') {
            const pairs = entries(net).flatMap(({ index }) => [index, net.flows.generation(index), step.idleMs]);
            net.dp.flow.ageing.push(Int32Array.from(pairs));
          } else {
            const all = entries(net);
            if (all.length === 0) continue;
            const { index, reverse } = all[step.which % all.length];
            flowCommand(net.dp, step.op, index, net.flows.generation(index));
            commanded.add(index).add(reverse);
          }
          check(net);
        }
        while (flowUpkeep(net.dp));
        check(net);
        checkSettled(net, commanded);
        return true;
      }),
      { numRuns: 300 },
    );
  });
});
