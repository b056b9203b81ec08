/** Requests that follow packets: dry runs, traces of the next real ones, and questions to other hosts. */
import { Readable } from 'node:stream';

import type { FastifyInstance } from 'fastify';

import type { ProbeRequest } from '../control/host-dumps.js';
import type { TraceRequest } from '../control/trace-dumps.js';
import { NDJSON } from './ndjson.js';
import type { DaemonView } from './view.js';

const text = { type: 'string' } as const;
const integer = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum });

const request = {
  type: 'object',
  required: ['vmi'],
  oneOf: [{ required: ['packet'] }, { required: ['frame'] }],
  additionalProperties: false,
  properties: {
    vmi: text,
    packet: text,
    frame: text,
    srcMac: text,
    dstMac: text,
    ttl: integer(0, 255),
    length: integer(0, 65_535),
    vlan: integer(0, 4095),
  },
};

const probe = {
  type: 'object',
  required: ['network', 'address'],
  additionalProperties: false,
  properties: { network: text, address: text, timeoutMs: integer(1, 60_000) },
};

/** What a live trace may last and tell at most. */
const LIVE_MAX = { count: 1000, seconds: 3600 } as const;

const live = {
  type: 'object',
  required: ['match'],
  properties: {
    match: text,
    count: { ...integer(1, LIVE_MAX.count), default: 10 },
    timeout: { type: 'number', minimum: 0, maximum: LIVE_MAX.seconds, default: 60 },
  },
};

interface Live {
  readonly match: string;
  readonly count: number;
  readonly timeout: number;
}

export function registerTraces(app: FastifyInstance, view: DaemonView): void {
  app.post<{ Body: TraceRequest }>('/v1/trace', { schema: { body: request } }, ({ body }) => view.trace(body));

  app.post<{ Body: ProbeRequest }>('/v1/probe', { schema: { body: probe } }, ({ body }) => view.probe(body));

  const running = new Set<AbortController>();
  app.addHook('preClose', (done) => {
    for (const end of running) end.abort();
    done();
  });
  app.get<{ Querystring: Live }>('/v1/trace/live', { schema: { querystring: live } }, ({ query }, reply) => {
    const end = new AbortController();
    const traces = view.traceLive(query.match, { count: query.count, timeoutMs: query.timeout * 1000 }, end.signal);
    running.add(end);
    reply.raw.once('close', () => {
      running.delete(end);
      end.abort();
    });
    return reply.type(NDJSON).send(Readable.from(lines(traces), { objectMode: false }));
  });
}

async function* lines(records: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const record of records) yield `${JSON.stringify(record)}\n`;
}
