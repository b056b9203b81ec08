/** What `mpls` and `vxlan` share: each shows which nexthop a number in a tunnel header leads to. */
import { json } from './columns.js';
import type { Daemon } from './client.js';
import { Exit } from './exit.js';
import { command, index, parse, usage } from './tool.js';
import type { CommonOptions, Tool } from './tool.js';

const BAD_USAGE = 1;

type MapRequest = CommonOptions & ({ readonly op: 'dump' } | { readonly op: 'get'; readonly number: number });

/** How one of them reads and shows its table. */
export interface NumberMap<D> {
  readonly name: string;
  readonly description: string;
  /** What the number is called in the usage: `label`. */
  readonly key: string;
  /** Title, column heads and line, up to the first row. */
  readonly header: string;
  readonly row: (entry: D) => string;
  readonly all: (daemon: Daemon) => Promise<readonly D[]>;
  readonly one: (daemon: Daemon, number: number) => Promise<D>;
}

/** The tool: `--dump`, or `--get` of one number. That of a number nobody uses prints the header and fails. */
export function numberMapTool<D>(map: NumberMap<D>): Tool {
  const { name, header, row, all, one } = map;
  return {
    name,
    run: async (argv, { connect }) => {
      const request = parseArgs(map, argv);
      const daemon = connect(request.socket);
      if (request.op === 'dump') {
        const entries = await all(daemon);
        return request.json ? json(entries) : header + entries.map(row).join('');
      }
      try {
        const entry = await one(daemon, request.number);
        return request.json ? json(entry) : header + row(entry);
      } catch (error) {
        if (!(error instanceof Exit) || error.status !== 1 || request.json) throw error;
        throw new Exit(error.status, error.message, header);
      }
    },
  };
}

function parseArgs<D>({ name, description, key }: NumberMap<D>, argv: readonly string[]): MapRequest {
  const spec = command(name, description)
    .option('--dump', 'the whole table')
    .option(`--get <${key}>`, `the entry of this ${key}`, index);
  const fail = usage(spec, BAD_USAGE);
  parse(spec, argv, fail);
  const { dump, get, ...common } = spec.opts<CommonOptions & { dump?: true; get?: number }>();
  if ((dump ?? false) === (get !== undefined)) throw fail('give one of --dump and --get');
  return get === undefined ? { ...common, op: 'dump' } : { ...common, op: 'get', number: get };
}
