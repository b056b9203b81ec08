import * as z from 'zod';
import { prefix } from './fields.js';
import { parsePrefix } from './prefix.js';
import { shown } from './shown.js';
import { IP_PROTOCOL } from '../wire/ip-protocol.js';
import { PORT_MAX } from './traffic.js';

/** Protocols a rule may name; `icmp` is ICMP and ICMPv6. All others are numbers. */
const NAMED = ['tcp', 'udp', 'sctp', 'icmp'] as const;
type Named = (typeof NAMED)[number];
/** Protocols with ports; a rule for any other is about all its packets. */
const WITH_PORTS: readonly unknown[] = ['tcp', 'udp', 'sctp'];
const NUMBER_MAX = 255;
/** Shortest prefix that may be folded. */
const LENGTH_MIN = 8;
const BITS = { 4: 32, 6: 128 } as const;

const protocol = z
  .union([z.int(), z.string()])
  .transform((given, context): Named | number => {
    const text = String(given);
    if (text === 'icmp6' || text === String(IP_PROTOCOL.icmp6)) return 'icmp';
    const named = NAMED.find((name) => name === text || String(IP_PROTOCOL[name]) === text);
    if (named !== undefined) return named;
    if (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= NUMBER_MAX) return Number(text);
    const message = `${shown(given)} is not a protocol; use ${NAMED.join(', ')} or a number from 1 to ${NUMBER_MAX}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  })
  .meta({ description: `${NAMED.join(', ')}, or a number`, examples: ['tcp', 47] });

const aggregateLength = z
  .int()
  .min(LENGTH_MIN)
  .max(BITS[6])
  .optional()
  .describe('Length addresses inside the prefix are folded to');

const ruleFields = z.strictObject({
  protocol,
  port: z
    .int()
    .min(0)
    .max(PORT_MAX)
    .default(0)
    .describe('The port of the service, at either end; 0 for all. Only TCP, UDP and SCTP have ports'),
  ignoreAddress: z
    .enum(['none', 'source', 'destination'])
    .default('none')
    .describe("Which address is left out, as the guest sees it: its own is the source, the other's the destination"),
  sourcePrefix: prefix.optional().describe("Fold the guest's own address when it is inside"),
  sourceAggregateLength: aggregateLength,
  destinationPrefix: prefix.optional().describe('Fold the address of the other end when it is inside'),
  destinationAggregateLength: aggregateLength,
});
type RuleFields = z.output<typeof ruleFields>;

const rule = ruleFields
  .superRefine((given, context) => {
    for (const { path, problem } of ruleProblems(given)) context.addIssue({ code: 'custom', path, message: problem });
  })
  .transform(canonical);

/** One fat-flow rule in canonical form: what it ignores has no prefix, and what has no ports names none. */
export type FatFlowRule = RuleFields;

/** The `fatFlows` of a network or an interface: no two are about the same. */
export const fatFlows = z
  .array(rule)
  .default([])
  .superRefine((rules, context) => {
    for (const { path, problem } of listProblems(rules)) context.addIssue({ code: 'custom', path, message: problem });
  })
  .describe('Sessions that share one flow entry');

interface Problem {
  readonly path: (string | number)[];
  readonly problem: string;
}

function* ruleProblems(given: RuleFields): Generator<Problem> {
  for (const end of ['source', 'destination'] as const) yield* prefixProblems(given, end);
  const { sourcePrefix, destinationPrefix } = given;
  if (sourcePrefix === undefined || destinationPrefix === undefined) return;
  const { family } = parsePrefix(sourcePrefix);
  if (family !== parsePrefix(destinationPrefix).family) {
    const problem = `"${destinationPrefix}" is not IPv${family}, as the sourcePrefix ${sourcePrefix} is`;
    yield { path: ['destinationPrefix'], problem };
  }
}

function* prefixProblems(given: RuleFields, end: 'source' | 'destination'): Generator<Problem> {
  const [prefixField, lengthField] = [`${end}Prefix`, `${end}AggregateLength`] as const;
  const text = given[prefixField];
  const aggregate = given[lengthField];
  if (text === undefined) {
    if (aggregate !== undefined) yield { path: [lengthField], problem: `goes with a ${prefixField}; name one` };
    return;
  }
  const { family, length } = parsePrefix(text);
  if (length < LENGTH_MIN) {
    yield { path: [prefixField], problem: `"${text}" is too large; use a length of ${LENGTH_MIN} or more` };
  }
  if (aggregate === undefined) {
    yield {
      path: [lengthField],
      problem: `is missing; use the length addresses in ${text} are folded to, e.g. ${length}`,
    };
  } else if (aggregate < length || aggregate > BITS[family]) {
    yield { path: [lengthField], problem: `${aggregate} does not fit ${text}; use ${length} to ${BITS[family]}` };
  }
}

function canonical(given: RuleFields): RuleFields {
  const { port, sourcePrefix, sourceAggregateLength, destinationPrefix, destinationAggregateLength, ...rest } = given;
  const source =
    given.ignoreAddress === 'source' || sourcePrefix === undefined ? {} : { sourcePrefix, sourceAggregateLength };
  const destination =
    given.ignoreAddress === 'destination' || destinationPrefix === undefined
      ? {}
      : { destinationPrefix, destinationAggregateLength };
  return { ...rest, port: WITH_PORTS.includes(given.protocol) ? port : 0, ...source, ...destination };
}

function* listProblems(rules: readonly FatFlowRule[]): Generator<Problem> {
  for (const [index, one] of rules.entries()) {
    const other = rules.findIndex((r, i) => i < index && about(r) === about(one));
    if (other >= 0)
      yield { path: [index], problem: `is about ${about(one)}, as fatFlows[${other}] is; keep one of them` };
  }
}

/** Which packets a rule is about, in words: two rules about the same would each fold them in their own way. */
function about({ protocol, port, sourcePrefix, destinationPrefix }: FatFlowRule): string {
  const ports = WITH_PORTS.includes(protocol) ? (port === 0 ? ', all ports' : ` port ${port}`) : '';
  const name = typeof protocol === 'number' ? `protocol ${protocol}` : protocol;
  const source = sourcePrefix === undefined ? '' : ` from ${sourcePrefix}`;
  const destination = destinationPrefix === undefined ? '' : ` to ${destinationPrefix}`;
  return `${name}${ports}${source}${destination}`;
}

/** A rule of an interface that says something else than one of its network about the same packets. */
export interface FatFlowConflict {
  /** Indices of the rules. */
  readonly ofNetwork: number;
  readonly ofInterface: number;
  /** What both are about, e.g. `tcp port 22`. */
  readonly about: string;
}

/** The first contradiction between the rules of a network and those of an interface in it; rules that are equal are none. */
export function fatFlowConflict(
  network: readonly FatFlowRule[],
  port: readonly FatFlowRule[],
): FatFlowConflict | undefined {
  for (const [ofInterface, one] of port.entries()) {
    const ofNetwork = network.findIndex((r) => about(r) === about(one));
    if (ofNetwork >= 0 && !isEqual(network[ofNetwork], one)) return { ofNetwork, ofInterface, about: about(one) };
  }
  return undefined;
}

/** The rules of an interface: those of its network, and its own. */
export function effectiveFatFlows(
  network: readonly FatFlowRule[],
  port: readonly FatFlowRule[],
): readonly FatFlowRule[] {
  return [...network, ...port.filter((one) => !network.some((r) => about(r) === about(one)))];
}

const isEqual = (a: FatFlowRule, b: FatFlowRule): boolean =>
  a.ignoreAddress === b.ignoreAddress &&
  a.sourceAggregateLength === b.sourceAggregateLength &&
  a.destinationAggregateLength === b.destinationAggregateLength;
