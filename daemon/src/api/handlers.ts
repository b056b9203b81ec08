/** All requests of the API, and what becomes of their errors. */
import { fastify } from 'fastify';
import type { FastifyError, FastifyInstance } from 'fastify';

import type { ErrorReply } from '../control/dumps.js';
import { RefusedError } from '../control/refused.js';
import type { RefusalCode } from '../control/refused.js';
import { registerFlows } from './flow-handlers.js';
import type { Metrics } from './metrics.js';
import { registerObjects } from './object-handlers.js';
import { registerTables } from './table-handlers.js';
import { registerTraces } from './trace-handlers.js';
import type { DaemonView } from './view.js';

/** Largest request: documents of some hundred thousand interfaces. */
const BODY_LIMIT = 128 * 1024 * 1024;

/** Where an error that is not the client's is told. */
export interface ErrorLog {
  error(details: object, message: string): void;
}

/** A server that answers everything; listens nowhere yet. */
export function createApi(view: DaemonView, metrics: Metrics, log: ErrorLog): FastifyInstance {
  const app = createServer(log);
  registerTables(app, view);
  registerFlows(app, view);
  registerTraces(app, view);
  registerObjects(app, view);
  registerMetrics(app, metrics);
  return app;
}

/** A server that answers scrapes only, for a network where nobody else may ask. */
export function createMetricsServer(metrics: Metrics, log: ErrorLog): FastifyInstance {
  const app = createServer(log);
  registerMetrics(app, metrics);
  return app;
}

function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()));
}

function createServer(log: ErrorLog): FastifyInstance {
  const app = fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true });
  app.setErrorHandler((error: FastifyError | RefusedError, request, reply) => {
    const { status, body } = describe(error);
    if (status === 500) log.error({ err: error, method: request.method, url: request.url }, 'a request failed');
    return reply.status(status).send(body);
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .status(404)
      .send(errorReply('notFound', `there is no ${request.method} ${request.url}; docs/api.md lists all`)),
  );
  return app;
}

/** HTTP status of refusals that are not simply the request's own fault (400). */
const STATUS: Partial<Record<RefusalCode, number>> = { notFound: 404, unavailable: 503, contended: 503, layout: 503 };

function describe(error: FastifyError | RefusedError): { readonly status: number; readonly body: ErrorReply } {
  if (error instanceof RefusedError) {
    return { status: STATUS[error.code] ?? 400, body: errorReply(error.code, error.message, error.path) };
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return { status: 400, body: errorReply('invalid', `${error.message}; docs/api.md shows what is expected`) };
  }
  return { status: 500, body: errorReply('internal', `vrouterd failed (${error.message}); look at its log`) };
}

const errorReply = (code: string, message: string, path?: string): ErrorReply => ({
  error: { code, message, ...(path !== undefined && { path }) },
});
