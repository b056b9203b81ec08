/** Requests about resources: apply, delete, objects, wait; and about the store that has them. */
import type { FastifyInstance } from 'fastify';

import type { WaitDump } from '../control/dumps.js';
import type { ApplyOptions, CopyRequest, DaemonView } from './view.js';

interface Documents {
  readonly documents: readonly unknown[];
}

const documents = { type: 'array' } as const;
const flag = { type: 'boolean', default: false } as const;
const text = { type: 'string' } as const;
/** Longest a client may wait with one request. */
const WAIT_MAX_SECONDS = 3600;

const body = (properties: Record<string, object>) => ({
  schema: { body: { type: 'object', required: ['documents'], properties } },
});
const query = (properties: Record<string, object>) => ({ schema: { querystring: { type: 'object', properties } } });

export function registerObjects(app: FastifyInstance, view: DaemonView): void {
  app.post<{ Body: Documents & ApplyOptions }>(
    '/v1/apply',
    body({ documents, dryRun: flag, prune: flag }),
    ({ body: { documents, dryRun, prune } }) => view.apply(documents, { dryRun, prune }),
  );
  app.post<{ Body: Documents }>('/v1/delete', body({ documents }), ({ body }) => view.remove(body.documents));
  app.get<{ Querystring: { kind?: string; name?: string } }>(
    '/v1/objects',
    query({ kind: text, name: text }),
    ({ query: { kind, name } }) => view.objects(kind, name),
  );
  app.post<{ Body: CopyRequest }>(
    '/v1/store/copy',
    { schema: { body: { type: 'object', required: ['to'], properties: { to: {}, prefix: text, force: flag } } } },
    ({ body }) => view.copyStore(body),
  );

  // One controller for each request: a signal that lived as long as the daemon would remember all that ever waited.
  const waiting = new Set<AbortController>();
  app.addHook('preClose', (done) => {
    for (const end of waiting) end.abort();
    done();
  });
  const timeout = { type: 'number', minimum: 0, maximum: WAIT_MAX_SECONDS, default: 0 };
  app.get<{ Querystring: { timeout: number } }>('/v1/wait', query({ timeout }), async (request, reply) => {
    const end = new AbortController();
    waiting.add(end);
    reply.raw.once('close', () => {
      end.abort();
    });
    try {
      return await realised(view, request.query.timeout * 1000, end.signal);
    } finally {
      waiting.delete(end);
    }
  });
}

/** Waits until everything stored is realised, at most `timeoutMs`, not longer than until `stop`. */
async function realised(view: DaemonView, timeoutMs: number, stop: AbortSignal): Promise<WaitDump> {
  if (!view.pending().realised) {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        unsubscribe();
        stop.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      const unsubscribe = view.onProgress(() => {
        if (view.pending().realised) end();
      });
      stop.addEventListener('abort', end);
    });
  }
  return view.pending();
}
