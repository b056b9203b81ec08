/** Requests about flows. */
import { setImmediate as turn } from 'node:timers/promises';

import type { FastifyInstance } from 'fastify';

import { FLOW_OPS, FLOW_SORTS, type FlowOp, type FlowSort } from '../control/flow-dumps.js';
import { type FlowMatch, parseFlowMatch } from '../control/flow-match.js';
import { NDJSON, ndjson } from './ndjson.js';
import type { DaemonView } from './view.js';

interface Listing {
  readonly match?: string;
  readonly evicted: boolean;
  readonly names: boolean;
  readonly sort?: FlowSort;
  readonly top?: number;
}

const flag = { type: 'boolean', default: false } as const;
const text = { type: 'string' } as const;
const listing = {
  match: text,
  evicted: flag,
  names: flag,
  sort: { type: 'string', enum: FLOW_SORTS },
  top: { type: 'integer', minimum: 1 },
} as const;
const index = { type: 'integer', minimum: 0 } as const;
const object = (properties: Record<string, object>) => ({ type: 'object', properties });

export function registerFlows(app: FastifyInstance, view: DaemonView): void {
  app.get<{ Querystring: Listing }>('/v1/flow', { schema: { querystring: object(listing) } }, ({ query }, reply) => {
    const { match, evicted, names, sort, top } = query;
    return reply.type(NDJSON).send(
      ndjson(
        view.flows({
          match: matchOf(match),
          evicted,
          names,
          sort: sort ?? (top === undefined ? null : 'bytes'),
          top: top ?? Infinity,
        }),
      ),
    );
  });
  app.get<{ Params: { index: number } }>(
    '/v1/flow/:index',
    { schema: { params: object({ index }) } },
    ({ params: { index } }) => view.flow(index),
  );
  app.post<{ Params: { index: number; op: FlowOp } }>(
    '/v1/flow/:index/:op',
    { schema: { params: object({ index, op: { type: 'string', enum: FLOW_OPS } }) } },
    async ({ params: { index, op } }) => {
      await view.changeFlow(index, op);
      return {};
    },
  );
  app.get('/v1/flow-table', () => view.flowTable());
  app.get('/v1/flow-table/counts', async () => {
    for (const counts of view.flowCounts()) {
      if (counts !== undefined) return counts;
      await turn();
    }
    throw new Error('the flows were not counted');
  });
  app.post<{ Body: { match?: string } | null }>(
    '/v1/flow-table/flush',
    { schema: { body: object({ match: text }) } },
    async ({ body }) => ({ pairs: await view.flushFlows(matchOf(body?.match)) }),
  );
}

const matchOf = (expression: string | undefined): FlowMatch | null =>
  expression === undefined ? null : parseFlowMatch(expression);
