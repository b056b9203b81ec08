/** The analyzer over HTTP: captures are started, listed and fetched, frames are read as they come. */
import { createReadStream } from 'node:fs';
import { fastify } from 'fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { parseRange } from './byte-range.js';
import { CaptureError, type CaptureOptions, type Captures, type FrameSource } from './captures.js';
import { DISSECTOR } from './dissector.js';
import { acceptor } from './filter.js';
import { DIRECTION_NAMES } from './frame.js';
import { LiveStream, type StreamCounters } from './live-stream.js';
import { checkFor } from './token.js';

export interface HttpOptions {
  readonly token: string;
  readonly captures: Captures;
  readonly source: FrameSource;
  /** PEM. Without: HTTP in the clear. */
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer };
  /** What goes wrong without a request's fault, and streams that lost frames. */
  readonly tell: (text: string) => void;
}

/** Media type of pcapng (IANA has none registered; this is what Wireshark's own tools say). */
const PCAPNG = 'application/x-pcapng';
/** Readers of the stream at the same time. */
const STREAMS_MAX = 32;
/** Largest request, bytes: a few names and numbers. */
const BODY_LIMIT = 64 * 1024;
const STATUS = { notFound: 404, conflict: 409, invalid: 400 } as const;

const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const seconds = { type: 'number', exclusiveMinimum: 0, maximum: 2_000_000 } as const;
const strict = (properties: Record<string, object>) => ({ type: 'object', additionalProperties: false, properties });
const word = { type: 'string' } as const;
const CHOICE = { vn: word, host: word, direction: { enum: DIRECTION_NAMES }, filter: word } as const;
const START = {
  ...strict({ ...CHOICE, name: { type: 'string' }, snapLength: count, maxBytes: count, maxSeconds: seconds }),
  nullable: true,
};
const STREAM = strict({ ...CHOICE, snapLength: count });

/** A server that listens nowhere yet. Its `close` ends running streams; captures are the caller's. */
export function createHttpServer(options: HttpOptions): FastifyInstance {
  const app = createApp(options);
  const { captures } = options;
  app.get('/v1/captures', () => captures.list());
  app.post<{ Body: (Choice & Omit<CaptureOptions, 'accepts'>) | null }>(
    '/v1/captures',
    { schema: { body: START } },
    async ({ body }, reply) => reply.status(201).send(await captures.start({ ...body, ...acceptance(body ?? {}) })),
  );
  app.get<{ Params: Named }>('/v1/captures/:name', (request, reply) => sendFile(captures, request, reply));
  app.post<{ Params: Named }>('/v1/captures/:name/stop', ({ params: { name } }) => captures.stop(name));
  app.delete<{ Params: Named }>('/v1/captures/:name', async ({ params: { name } }, reply) => {
    await captures.remove(name);
    return reply.status(204).send();
  });
  app.get('/v1/cmirror.lua', (_, reply) => reply.type('text/x-lua').send(createReadStream(DISSECTOR)));
  registerStreams(app, options);
  return app;
}

/** Which frames are wanted. */
interface Choice {
  readonly vn?: string;
  readonly host?: string;
  readonly direction?: (typeof DIRECTION_NAMES)[number];
  readonly filter?: string;
}

/** The choice as a test. Throws CaptureError for a filter that makes no sense. */
function acceptance({ vn, host, direction, filter = '' }: Choice): Pick<CaptureOptions, 'accepts'> {
  try {
    const accepts = acceptor({
      networks: vn === undefined ? [] : [vn],
      hosts: host === undefined ? [] : [host],
      direction: direction === undefined ? null : DIRECTION_NAMES.indexOf(direction),
      filter,
    });
    return accepts === undefined ? {} : { accepts };
  } catch (error) {
    throw new CaptureError('invalid', (error as Error).message);
  }
}

interface Named {
  readonly name: string;
}

function createApp({ token, tls, tell }: HttpOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false } },
    ...(tls && { https: tls }),
  }) as FastifyInstance;
  // `curl -d` calls JSON a form.
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    app.getDefaultJsonParser('error', 'error'),
  );
  const isAllowed = checkFor(token);
  app.addHook('onRequest', async (request, reply) => {
    if (isAllowed(request.headers.authorization)) return;
    await reply
      .status(401)
      .header('www-authenticate', 'Bearer')
      .send(errorReply('unauthorized', 'show the token: curl -H "Authorization: Bearer TOKEN"'));
  });
  app.setErrorHandler((error: FastifyError | CaptureError, _, reply) => {
    if (error instanceof CaptureError)
      return reply.status(STATUS[error.code]).send(errorReply(error.code, error.message));
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return reply.status(error.statusCode).send(errorReply('invalid', error.message));
    }
    tell(`a request failed: ${error.message}`);
    return reply.status(500).send(errorReply('internal', error.message));
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .status(404)
      .send(errorReply('notFound', `there is no ${request.method} ${request.url}; docs/analyzer.md lists all`)),
  );
  return app;
}

const errorReply = (code: string, message: string) => ({ error: { code, message } });

/** A file, or the part asked for; of one that grows, what it has now. */
async function sendFile(
  captures: Captures,
  { params: { name }, headers }: FastifyRequest<{ Params: Named }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { bytes, modified } = await captures.get(name);
  const path = await captures.path(name);
  void reply
    .type(PCAPNG)
    .header('accept-ranges', 'bytes')
    .header('last-modified', new Date(modified).toUTCString())
    .header('content-disposition', `attachment; filename="${name}"`);
  const range = parseRange(headers.range, bytes);
  if (range === 'beyond') {
    return reply
      .status(416)
      .type('application/json')
      .header('content-range', `bytes */${bytes}`)
      .send(errorReply('invalid', `${name} has ${bytes} bytes`));
  }
  const { start, end } = range === 'whole' ? { start: 0, end: bytes - 1 } : range;
  if (range !== 'whole') void reply.status(206).header('content-range', `bytes ${start}-${end}/${bytes}`);
  void reply.header('content-length', end + 1 - start);
  return reply.send(bytes === 0 ? Buffer.alloc(0) : createReadStream(path, { start, end }));
}

/** A reader of the stream, as clients see it. */
interface StreamDump extends StreamCounters {
  readonly reader: string;
  /** Bytes that wait for it. */
  readonly waiting: number;
}

function registerStreams(app: FastifyInstance, { source, tell }: HttpOptions): void {
  const streams = new Map<LiveStream, () => StreamDump>();
  app.get('/v1/statistics', () => ({ ...source.statistics, streams: [...streams.values()].map((dump) => dump()) }));
  app.addHook('preClose', (done) => {
    for (const stream of streams.keys()) stream.close();
    done();
  });
  app.get<{ Querystring: Choice & { snapLength?: number } }>(
    '/v1/stream',
    { schema: { querystring: STREAM }, exposeHeadRoute: false },
    (request, reply) => {
      if (streams.size >= STREAMS_MAX) {
        return reply.status(503).send(errorReply('unavailable', `there are ${STREAMS_MAX} readers already`));
      }
      const options = { ...request.query, ...acceptance(request.query) };
      const { raw } = reply.hijack();
      const { socket } = request;
      const reader = `${socket.remoteAddress ?? '?'} port ${socket.remotePort ?? '?'}`;
      socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
      raw.writeHead(200, { 'content-type': PCAPNG, 'cache-control': 'no-store' });
      const stream = new LiveStream(raw, source.statistics, options);
      streams.set(stream, () => ({ reader, ...stream.counters, waiting: raw.writableLength }));
      source.addSink(stream);
      raw.once('close', () => {
        source.removeSink(stream);
        stream.abandon();
        streams.delete(stream);
        const { packets, lost } = stream.counters;
        if (lost > 0) tell(`${reader} was too slow for ${lost} of ${packets + lost} frames`);
      });
      return reply;
    },
  );
}

/** After this long without traffic a reader is asked whether it is still there. */
const KEEP_ALIVE_MS = 30_000;
