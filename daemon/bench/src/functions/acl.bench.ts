import { Acl, AclQuery } from '#vrouterd/tables/acl.js';
import type { AclPeer, AclRuleRecord } from '#vrouterd/tables/records.js';
import { bench, runBenches } from './harness.js';

const QUERIES = 1024;
const ANYBODY: AclPeer = { network: null, prefix: null, group: null };

const address = (i: number): string => `10.${(i >>> 8) & 0xff}.${i & 0xff}.0`;

/** Rules as a firewall has them: a subnet may reach a range of ports of another. */
const rules = (count: number): AclRuleRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `rules[${i}]`,
    action: 'pass',
    protocol: i % 3 === 0 ? 17 : 6,
    source: { ...ANYBODY, prefix: `${address(i)}/24` },
    destination: { ...ANYBODY, prefix: `${address(i * 7)}/24`, group: i % 2 === 0 ? 8_000_000 + (i % 50) : null },
    sourcePorts: [],
    destinationPorts: [[1000 + 10 * i, 1005 + 10 * i]],
    log: false,
    mirrors: [],
  }));

function compiled(list: readonly AclRuleRecord[]): Acl {
  return new Acl({ id: 1, name: 'bench', rules: list, otherwise: 'deny' });
}

/** Asks about sessions that rules from all over the list let through. */
function askAll(acl: Acl, count: number, query: AclQuery): number {
  let sum = 0;
  for (let n = 0; n < QUERIES; n++) {
    const i = (n * 619) % count;
    query.protocol = i % 3 === 0 ? 17 : 6;
    query.source[0] = 0x0a000001 + ((i & 0xffff) << 8);
    query.destination[0] = 0x0a000002 + (((i * 7) & 0xffff) << 8);
    query.destinationPort = 1003 + 10 * i;
    sum += acl.match(query);
  }
  return sum;
}

for (const count of [10, 100, 1000]) {
  const acl = compiled(rules(count));
  const query = new AclQuery();
  query.destinationGroups = Array.from({ length: 50 }, (_, i) => 8_000_000 + i).slice(0, 4);
  bench(`ACL match among ${count} rules`, () => askAll(acl, count, query), { operations: QUERIES });
}

const thousand = rules(1000);
const first = new AclQuery();
bench('ACL of 1,000 rules made and asked once', () => compiled(thousand).match(first));

runBenches();
