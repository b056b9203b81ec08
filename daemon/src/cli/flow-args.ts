/** The command line of `flow`. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import { FLOW_SORTS } from '../control/flow-dumps.js';
import type { FlowOp, FlowSort } from '../control/flow-dumps.js';
import { parseFlowMatch } from '../control/flow-match.js';
import type { FlowMatch } from '../control/flow-match.js';
import { Exit } from './exit.js';
import { command, parse, usage } from './tool.js';
import type { CommonOptions } from './tool.js';

/** Status after bad options: -EINVAL, as a shell sees it. */
const BAD_USAGE = 234;

/** Which flows, and how they are shown. */
export interface FlowSelection {
  /** The expression as it was typed, and read; without it all. */
  readonly expression?: string;
  readonly match: FlowMatch | null;
  readonly evicted: boolean;
  readonly names: boolean;
  readonly sort?: FlowSort;
  readonly top?: number;
}

export type FlowRequest = CommonOptions &
  (
    | ({ readonly op: 'list' } & FlowSelection)
    | ({ readonly op: 'watch' } & FlowSelection)
    | { readonly op: 'get'; readonly index: number; readonly evicted: boolean }
    | { readonly op: 'change'; readonly index: number; readonly change: FlowOp }
    | { readonly op: 'flush'; readonly expression?: string }
    | { readonly op: 'rate' | 'statistics' }
  );

interface FlowOptions extends CommonOptions {
  readonly l?: true;
  readonly match?: string;
  readonly showEvicted?: true;
  readonly names?: true;
  readonly sort?: FlowSort;
  readonly top?: number;
  readonly watch?: true;
  readonly get?: number;
  readonly f?: number;
  readonly d?: number;
  readonly i?: number;
  readonly forceEvict?: number;
  readonly F?: true;
  readonly r?: true;
  readonly s?: true;
}

const spec = (): Command =>
  command('flow', 'shows the flows of the vrouter, and changes them')
    .option('-l', 'all flows')
    .option('--match <expression>', 'the flows that match (implies -l)')
    .option('--show-evicted', 'those too that are evicted, or TCP sessions that are over')
    .option('--names', 'who talks to whom: interfaces, networks, and the rule that let them')
    .addOption(new Option('--sort <by>', 'largest first; age: the oldest, recent: the last packet').choices(FLOW_SORTS))
    .option('--top <n>', 'so many of them (by bytes, unless sorted otherwise)', positive)
    .option('--watch', 'a live view with rates, once a second, until q is pressed')
    .option('-g, --get <index>', 'everything about one flow', flowIndex)
    .option('-f <index>', 'let the flow pass', flowIndex)
    .option('-d <index>', 'drop its packets', flowIndex)
    .option('-i <index>', 'delete it: its next packet makes it anew', flowIndex)
    .option('-e, --force-evict <index>', 'take away what is left of a TCP session that is over', flowIndex)
    .option('-F', 'delete all flows, or those that match')
    .option('-r', 'a line whenever flows come or go, until q is pressed')
    .option('-s', 'statistics, twice a second, until q is pressed')
    .addHelpText('after', EXPRESSIONS);

const EXPRESSIONS = `
An expression is made of these, with & between them (quote it):
  ADDRESS[:PORT][,ADDRESS[:PORT]]   one side of the flow, or both in either order; * is any
  [IPV6]:PORT                       with a port, an IPv6 address is in brackets
  proto tcp|udp|icmp|icmp6|sctp
  vrf N
as in: flow --match "10.10.0.1:22, *:* & proto tcp & vrf 8"
`;

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): FlowRequest {
  const program = spec();
  const fail = usage(program, BAD_USAGE);
  parse(program, argv, fail);
  const options = program.opts<FlowOptions>();
  const { json, socket } = options;
  const common = { ...(json && { json }), ...(socket !== undefined && { socket }) };
  const request = { ...common, ...requestOf(options, fail) };
  checkAdditions(request, options, fail);
  return request;
}

type Fail = (message: string) => Exit;

function requestOf(options: FlowOptions, fail: Fail): FlowRequest {
  const { get, f, d, i, forceEvict, F, r, s, watch, l, match } = options;
  const asked: FlowRequest[] = [];
  if (get !== undefined) asked.push({ op: 'get', index: get, evicted: options.showEvicted ?? false });
  const changes = [['forward', f], ['drop', d], ['delete', i], ['evict', forceEvict]] as const; // prettier-ignore
  for (const [change, index] of changes) if (index !== undefined) asked.push({ op: 'change', index, change });
  if (F) {
    if (match !== undefined) readExpression(match);
    asked.push({ op: 'flush', ...(match !== undefined && { expression: match }) });
  }
  if (r) asked.push({ op: 'rate' });
  if (s) asked.push({ op: 'statistics' });
  if (watch) asked.push({ op: 'watch', ...selection(options) });
  if (l || (match !== undefined && !F && !watch)) asked.push({ op: 'list', ...selection(options) });
  if (asked.length !== 1) throw fail('give one of -l, --match, --watch, -g, -f, -d, -i, -e, -F, -r and -s');
  return asked[0];
}

function selection({ match, showEvicted, names, sort, top }: FlowOptions): FlowSelection {
  return {
    ...(match !== undefined && { expression: match }),
    match: match === undefined ? null : readExpression(match),
    evicted: showEvicted ?? false,
    names: names ?? false,
    ...(sort !== undefined && { sort }),
    ...(top !== undefined && { top }),
  };
}

/** Options that only some requests take. */
function checkAdditions(request: FlowRequest, options: FlowOptions, fail: Fail): void {
  const selects = request.op === 'list' || request.op === 'watch';
  if (options.match !== undefined && !selects && request.op !== 'flush')
    throw fail('--match is for a list, and for -F');
  if (options.showEvicted && !selects && request.op !== 'get') throw fail('--show-evicted is for a list, and for -g');
  if ((options.names ?? options.sort ?? options.top) !== undefined && !selects) {
    throw fail('--names, --sort and --top are for a list');
  }
  if (options.json && !['list', 'get', 'flush'].includes(request.op)) throw fail('this has no JSON form');
}

function readExpression(text: string): FlowMatch {
  try {
    return parseFlowMatch(text);
  } catch (error) {
    throw new Exit(BAD_USAGE, (error as Error).message);
  }
}

function flowIndex(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`Invalid flow index value ${text}`);
  return Number(text);
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a number from 1.');
  return Number(text);
}
