/** `flow`: the flow table. */
import type { FlowDump, FlowTableDump } from '../control/flow-dumps.js';
import type { Daemon } from './client.js';
import { json } from './columns.js';
import { Exit, STATUS } from './exit.js';
import { parseArgs, type FlowRequest, type FlowSelection } from './flow-args.js';
import { formatConditions, formatFlow, formatHeader, formatTitles } from './flow-format.js';
import { flowDetails, formatDetails } from './flow-get.js';
import { formatRateLine, formatStatistics, watchFlows, watchTable, type FlowSample } from './flow-live.js';
import type { Screen, Surroundings, Tool } from './tool.js';

/** Flows written in one piece. */
const PIECE = 512;
/** Flows --watch chooses from when they are not sorted by the daemon: those that had a packet last. */
const WATCHED = 2000;

type RequestOf<O extends FlowRequest['op']> = Extract<FlowRequest, { op: O }>;

async function run(argv: readonly string[], surroundings: Surroundings): Promise<string> {
  const request = parseArgs(argv);
  const daemon = surroundings.connect(request.socket);
  const { screen, print } = surroundings;
  switch (request.op) {
    case 'list':
      return list(request, daemon, print);
    case 'watch':
      await watch(request, daemon, screen);
      return '';
    case 'get':
      return get(request, daemon, screen);
    case 'change':
      await daemon.changeFlow(request.index, request.change);
      return '';
    case 'flush': {
      const pairs = await daemon.flushFlows(request.expression);
      return request.json ? json({ pairs }) : `${pairs} ${pairs === 1 ? 'pair' : 'pairs'} deleted\n`;
    }
    case 'rate':
      await watchTable(sampler(daemon, screen), screen, (_, before, after) => print(formatRateLine(before, after)));
      return '';
    case 'statistics':
      await watchTable(sampler(daemon, screen), screen, (first, before, after) => {
        screen.show(formatStatistics(first, before, after));
      });
      return '';
  }
}

const listingOf = ({ expression, evicted, names, sort, top }: FlowSelection) => ({
  match: expression,
  evicted: evicted || undefined,
  names: names || undefined,
  sort,
  top,
});

/** Writes the flows as they come: a table may be larger than one text can be. */
async function list(request: RequestOf<'list'>, daemon: Daemon, print: Surroundings['print']): Promise<string> {
  const format = request.json ? jsonElement : formatFlow;
  if (!request.json) await print(formatHeader(await daemon.flowTable()) + formatTitles(request.match));
  let piece: string[] = [];
  let count = 0;
  for await (const flow of daemon.flows(listingOf(request))) {
    piece.push(format(flow, count++));
    if (piece.length < PIECE) continue;
    await print(piece.join(''));
    piece = [];
  }
  if (request.json) piece.push(count === 0 ? '[]\n' : '\n]\n');
  return piece.join('');
}

/** An element of an array in the form `json` gives the whole array. */
const jsonElement = (flow: FlowDump, position: number): string =>
  `${position === 0 ? '[' : ','}\n${JSON.stringify(flow, null, 2).replaceAll(/^/gm, '  ')}`;

async function get(request: RequestOf<'get'>, daemon: Daemon, screen: Screen): Promise<string> {
  const { index } = request;
  const details = await flowDetails(daemon, index);
  if (details.flow.flags.includes('E') && !request.evicted) {
    throw new Exit(STATUS.refused, `Flow at index ${index} is EVICTED. Use --show-evicted`);
  }
  if (request.json) return json(details.flow);
  screen.show(formatDetails(details));
  return '';
}

const sampler = (daemon: Daemon, screen: Screen) => async (): Promise<FlowSample> => {
  const [table, counts] = await Promise.all([daemon.flowTable(), daemon.flowCounts()]);
  return { at: screen.now().getTime(), table, counts };
};

async function watch(request: RequestOf<'watch'>, daemon: Daemon, screen: Screen): Promise<void> {
  const { sort, top = Infinity } = request;
  const listing = {
    ...listingOf(request),
    sort: sort ?? ('recent' as const),
    top: sort === undefined ? WATCHED : Math.min(top, screen.rows()),
  };
  const sample = async (): Promise<{ flows: FlowDump[]; table: FlowTableDump }> => {
    const flows: FlowDump[] = [];
    for await (const flow of daemon.flows(listing)) flows.push(flow);
    return { flows, table: await daemon.flowTable() };
  };
  const conditions = request.match === null ? '' : formatConditions(request.match);
  await watchFlows(sample, screen, { conditions, sorted: sort !== undefined, top });
}

export const flow: Tool = { name: 'flow', run };
