import test from 'ava';
import type { FastifyInstance } from 'fastify';

import type { LiveTrace, TraceRequest } from '../control/trace-dumps.js';
import { RefusedError } from '../control/refused.js';
import { bridgedTrace } from '../testing/dumps.js';
import { guestView } from '../testing/view.js';
import { createApi } from './handlers.js';
import { Metrics } from './metrics.js';
import type { DaemonView } from './view.js';

function apiOf(changes: Partial<DaemonView> = {}): FastifyInstance {
  const view = guestView(changes);
  return createApi(view, new Metrics(view), { error: () => undefined });
}

test('a packet is traced as it was asked for', async (t) => {
  const requests: TraceRequest[] = [];
  const app = apiOf({
    trace: (request) => {
      requests.push(request);
      return bridgedTrace();
    },
  });
  const payload = { vmi: 'a', packet: 'icmp 5.5.5.4', ttl: 1, vlan: 7, length: 60, srcMac: '2:0:0:0:0:1' };
  const reply = await app.inject({ method: 'POST', url: '/v1/trace', payload });
  t.deepEqual(reply.json(), bridgedTrace());
  t.deepEqual(requests, [payload]);
});

test('another host is asked about an address of a network', async (t) => {
  const reply = await apiOf().inject({
    method: 'POST',
    url: '/v1/probe',
    payload: { network: 'blue', address: '10.0.0.9' },
  });
  t.like(reply.json(), { address: '10.0.0.9', outcome: 'reachable' });
  const bad = await apiOf().inject({ method: 'POST', url: '/v1/probe', payload: { network: 'blue' } });
  t.is(bad.statusCode, 400);
});

test('a request without a packet, or with two, is invalid', async (t) => {
  const app = apiOf();
  for (const payload of [{ vmi: 'a' }, { packet: 'icmp 1.2.3.4' }, { vmi: 'a', packet: 'x', frame: '00' }]) {
    const reply = await app.inject({ method: 'POST', url: '/v1/trace', payload });
    t.like([reply.statusCode, reply.json()], [400, { error: { code: 'invalid' } }], JSON.stringify(payload));
  }
});

test('real packets come one a line, behind word that they are waited for', async (t) => {
  const reply = await apiOf().inject('/v1/trace/live?match=icmp&count=2');
  const lines = reply.body.split('\n').slice(0, -1);
  t.deepEqual(
    lines.map((line) => JSON.parse(line) as LiveTrace),
    [{ waiting: true }, bridgedTrace(), bridgedTrace()],
  );
  t.is(reply.headers['content-type'], 'application/x-ndjson');
});

test('a live trace that is refused is no stream', async (t) => {
  const app = apiOf({
    traceLive: () => {
      throw new RefusedError('contended', 'another live trace runs; wait until it has ended');
    },
  });
  const reply = await app.inject('/v1/trace/live?match=any');
  t.deepEqual(
    [reply.statusCode, reply.json()],
    [503, { error: { code: 'contended', message: 'another live trace runs; wait until it has ended' } }],
  );
  t.is((await app.inject('/v1/trace/live')).statusCode, 400);
  t.is((await app.inject('/v1/trace/live?match=any&count=1001')).statusCode, 400);
});
