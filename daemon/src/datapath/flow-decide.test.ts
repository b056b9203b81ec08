import test from 'ava';
import fc from 'fast-check';
import { FIXED } from '../agent/compile.js';
import { FLOW, FLOW_ACTION, NO_MIRROR, NO_MIRRORS, newFlowKey, withMirror } from '../tables/flow.js';
import { type AclRuleRecord, NH_FLAG, NH_TYPE, type RuleMirrorRecord, VIF_FLAG, VIF_TYPE } from '../tables/records.js';
import { Tables } from '../tables/tables.js';
import { aclRule } from '../testing/acl-rules.js';
import { decide, FlowDecision } from './flow-decide.js';

const indices = (mirrors: number): number[] => [mirrors & 0xffff, mirrors >>> 16].filter((one) => one !== NO_MIRROR);

test('an entry has two mirrors, each once, in the order they came', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 254 }), { maxLength: 5 }), (wanted) => {
      const mirrors = wanted.reduce(withMirror, NO_MIRRORS);
      t.deepEqual(indices(mirrors), [...new Set(wanted)].slice(0, 2));
    }),
  );
});

const mirror: fc.Arbitrary<RuleMirrorRecord> = fc.record({
  mirror: fc.constantFrom(0, 1, 2, 254),
  forward: fc.boolean(),
  reverse: fc.boolean(),
});
const rule: fc.Arbitrary<AclRuleRecord> = fc
  .record({
    action: fc.constantFrom('pass' as const, 'pass' as const, 'deny' as const),
    first: fc.integer({ min: 1, max: 6 }),
    more: fc.nat(3),
    mirrors: fc.array(mirror, { maxLength: 3 }),
  })
  .map(({ action, first, more, mirrors }) => aclRule({ action, destinationPorts: [[first, first + more]], mirrors }));
const list = fc.record({
  rules: fc.array(rule, { maxLength: 5 }),
  otherwise: fc.constantFrom('pass' as const, 'pass' as const, 'deny' as const),
});
/** Of the network it leaves, that it goes to, the sender's groups and the receiver's; null: there is none. */
const lists = fc.tuple(fc.option(list), fc.option(list), fc.option(list), fc.option(list));
type Lists = typeof lists extends fc.Arbitrary<infer T> ? T : never;

/** Two networks, a guest in each: 10.0.0.3 behind vif 3 in VRF 1, 10.0.0.4 behind vif 4 in VRF 2. */
function tablesOf(given: Lists): Tables {
  const tables = new Tables();
  const acl = (place: number): number => (given[place] === null ? -1 : place);
  for (const [id, one] of given.entries())
    if (one) tables.apply({ table: 'acl', op: 'set', record: { id, name: 'list', ...one } });
  for (const id of [1, 2]) {
    const record = { id, name: `vn${id}`, network: id, acl: acl(id - 1), rpf: true, floodUnknownUnicast: false };
    tables.apply({ table: 'vrf', op: 'set', record });
    const vif = id + 2;
    const nexthop = {
      id: 20 + vif,
      type: NH_TYPE.encap,
      family: 'inet',
      flags: NH_FLAG.valid | NH_FLAG.policy,
    } as const;
    tables.apply({ table: 'nexthop', op: 'set', record: { ...nexthop, vrf: id, oif: vif, rewrite: '', members: [] } });
  }
  for (const id of [3, 4]) {
    const changes = {
      vrf: id - 2,
      flags: VIF_FLAG.policy | VIF_FLAG.l3,
      nexthop: 20 + id,
      egressAcl: acl(2),
      ingressAcl: acl(3),
    };
    tables.apply({ table: 'vif', op: 'set', record: { ...FIXED.vifs[0], id, type: VIF_TYPE.virtual, ...changes } });
    const route = { vrf: 1, family: 'inet', prefix: `10.0.0.${id}`, length: 32, nexthop: 20 + id } as const;
    const rest = { label: -1, flags: 0, stitchedMac: null, stitchedIndex: -1, network: id - 2, groups: [] };
    tables.apply({ table: 'route', op: 'set', record: { ...route, ...rest } });
  }
  return tables;
}

/** The obvious evaluator: list by list, rule by rule. */
function expected(given: Lists, port: number): { passes: boolean; mirrors: number[]; answerMirrors: number[] } {
  const asked: RuleMirrorRecord[] = [];
  let passes = true;
  for (const one of given) {
    if (!passes || one === null) continue;
    const decides = one.rules.find(({ destinationPorts: [[first, last]] }) => first <= port && port <= last);
    if (decides) asked.push(...decides.mirrors);
    passes = (decides?.action ?? one.otherwise) === 'pass';
  }
  const distinct = (of: 'forward' | 'reverse'): number[] =>
    [...new Set(asked.filter((one) => one[of]).map((one) => one.mirror))].slice(0, 2);
  return { passes, mirrors: distinct('forward'), answerMirrors: distinct('reverse') };
}

test('a session is mirrored by the rules that decide it in all lists that are asked, those that deny it too', (t) => {
  const d = new FlowDecision();
  const key = newFlowKey();
  key[FLOW.protocol] = (4 << 8) | 17;
  key[FLOW.source] = 0x0a000003;
  key[FLOW.destination] = 0x0a000004;
  key[FLOW.keyNh] = 23;
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: 6 }), (given, port) => {
      const tables = tablesOf(given);
      key[FLOW.ports] = (1000 << 16) | port;
      const from = tables.vifs.get(3);
      if (!from) return t.fail();
      decide(tables, from, key, -1, -1, d);
      const { passes, mirrors, answerMirrors } = expected(given, port);
      t.deepEqual(
        [d.action === FLOW_ACTION.forward, indices(d.mirrors), indices(d.answerMirrors)],
        [passes, mirrors, answerMirrors],
      );
    }),
    { numRuns: 300 },
  );
});
