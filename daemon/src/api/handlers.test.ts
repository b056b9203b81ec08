import test from 'ava';

import type { ErrorReply } from '../control/dumps.js';
import { RefusedError } from '../control/refused.js';
import { encapNexthop, guestVif, inetRoute, mirrorDump, tcpFlow, clusterHosts } from '../testing/dumps.js';
import { guestView } from '../testing/view.js';
import { createApi, createMetricsServer } from './handlers.js';
import { Metrics } from './metrics.js';
import type { DaemonView, FlowQuery } from './view.js';

const logged: string[] = [];
const log = { error: (_: object, message: string) => void logged.push(message) };

function api(changes: Partial<DaemonView> = {}) {
  const view = guestView(changes);
  return createApi(view, new Metrics(view), log);
}

const get = (url: string, changes: Partial<DaemonView> = {}) => api(changes).inject(url);
const post = (url: string, payload: object, changes: Partial<DaemonView> = {}) =>
  api(changes).inject({ method: 'POST', url, payload });
const errorOf = (reply: { readonly body: string }) => (JSON.parse(reply.body) as ErrorReply).error;

test('a list is one record a line', async (t) => {
  const reply = await get('/v1/vif', { vifs: () => [guestVif({ id: 0 }), guestVif({ id: 1 })] });
  t.is(reply.headers['content-type'], 'application/x-ndjson');
  t.is(reply.body, `${JSON.stringify(guestVif({ id: 0 }))}\n${JSON.stringify(guestVif({ id: 1 }))}\n`);
});

test('an empty list has no lines', async (t) => {
  for (const url of ['/v1/nh', '/v1/vif', '/v1/vrfstats', '/v1/rt/7/inet6', '/v1/rt/7/bridge']) {
    const none = () => [];
    const reply = await get(url, { vifs: none, nexthops: none, vrfstats: none, inetRoutes: none, bridgeRoutes: none });
    t.is(reply.statusCode, 200);
    t.is(reply.body, '');
  }
});

test('each thing can be asked for by its id', async (t) => {
  t.deepEqual((await get('/v1/vif/8')).json(), guestVif());
  t.deepEqual((await get('/v1/vif/8/drops')).json(), guestView().vifDrops(8));
  t.deepEqual((await get('/v1/nh/81')).json(), encapNexthop());
  t.deepEqual((await get('/v1/mpls/16')).json(), { label: 16, nexthop: 81 });
  t.deepEqual((await get('/v1/vxlan/4')).json(), { vni: 4, nexthop: 90 });
  t.deepEqual((await get('/v1/mirror/0')).json(), mirrorDump());
  t.is((await get('/v1/mirror')).body, `${JSON.stringify(mirrorDump())}\n`);
  t.is((await get('/v1/mpls')).body, '{"label":16,"nexthop":81}\n');
  t.is((await get('/v1/vxlan')).body, '{"vni":4,"nexthop":90}\n');
  t.deepEqual((await get('/v1/dropstats')).json(), guestView().dropstats());
  t.deepEqual((await get('/v1/vrfstats/7')).json(), guestView().vrfstatsOf(7));
  t.deepEqual((await get('/v1/status')).json(), guestView().status());
});

test('routes are asked for by VRF, family and prefix', async (t) => {
  t.deepEqual((await get('/v1/rt/7/inet')).json(), inetRoute());
  t.like((await get('/v1/rt/7/inet/5.5.5.0/24')).json(), { prefix: '5.5.5.0', length: 24 });
  t.like((await get('/v1/rt/7/inet6/fd00::1/128')).json(), { prefix: 'fd00::1', length: 128 });
  t.like((await get('/v1/rt/7/bridge/02:AA:f0:88:f0:65')).json(), { index: 41308 });
});

test('an id nobody uses is answered with the text operators know', async (t) => {
  for (const url of [
    '/v1/vif/9',
    '/v1/vif/9/drops',
    '/v1/nh/9',
    '/v1/mpls/17',
    '/v1/vxlan/5',
    '/v1/mirror/1',
    '/v1/rt/9/inet',
    '/v1/rt/9/bridge',
    '/v1/vrfstats/9',
  ]) {
    const reply = await get(url);
    t.is(reply.statusCode, 404);
    t.is(errorOf(reply).code, 'notFound');
    t.regex(errorOf(reply).message, /^No such file or directory: there is no /);
  }
  t.is((await get('/v1/rt/7/bridge/02:00:00:00:00:01')).statusCode, 404);
  t.is((await get('/v1/rt/9/inet/5.5.5.5/32')).statusCode, 404);
});

test('flows are selected by what the request says', async (t) => {
  const asked: FlowQuery[] = [];
  const flows: DaemonView['flows'] = (query) => {
    asked.push(query);
    return [undefined, tcpFlow(), undefined, undefined, tcpFlow({ index: 5 }), undefined];
  };
  const reply = await get('/v1/flow', { flows });
  t.is(reply.headers['content-type'], 'application/x-ndjson');
  t.is(reply.body, `${JSON.stringify(tcpFlow())}\n${JSON.stringify(tcpFlow({ index: 5 }))}\n`);
  const match = encodeURIComponent('10.10.0.1:22 & proto tcp & vrf 8');
  await get(`/v1/flow?match=${match}&evicted=true&names=true&sort=packets&top=7`, { flows });
  await get('/v1/flow?top=3', { flows });
  const endpoints = [{ address: '10.10.0.1', port: 22 }];
  t.deepEqual(asked, [
    { match: null, evicted: false, names: false, sort: null, top: Infinity },
    { match: { endpoints, protocol: 6, vrf: 8 }, evicted: true, names: true, sort: 'packets', top: 7 },
    { match: null, evicted: false, names: false, sort: 'bytes', top: 3 },
  ]);
});

test('a flow, the table and its counts can be asked for', async (t) => {
  t.deepEqual((await get('/v1/flow/131252')).json(), tcpFlow());
  t.deepEqual((await get('/v1/flow-table')).json(), guestView().flowTable());
  t.deepEqual((await get('/v1/flow-table/counts')).json(), { drop: 0, hold: 0, forward: 2, nat: 0 });
  const reply = await get('/v1/flow/4');
  t.is(reply.statusCode, 404);
  t.is(errorOf(reply).message, 'Flow index 4 is not active');
});

test('flows are changed, and flushed, on request', async (t) => {
  const asked: unknown[] = [];
  const changes: Partial<DaemonView> = {
    changeFlow: (index, op) => Promise.resolve(void asked.push([op, index])),
    flushFlows: (match) => Promise.resolve(asked.push(match)),
  };
  for (const op of ['forward', 'drop', 'delete', 'evict']) {
    t.is((await post(`/v1/flow/8/${op}`, {}, changes)).statusCode, 200);
  }
  t.deepEqual((await post('/v1/flow-table/flush', {}, changes)).json(), { pairs: 5 });
  await post('/v1/flow-table/flush', { match: 'vrf 8' }, changes);
  const match = { endpoints: [], protocol: null, vrf: 8 };
  t.deepEqual(asked, [['forward', 8], ['drop', 8], ['delete', 8], ['evict', 8], null, match]); // prettier-ignore
  t.is((await post('/v1/flow/8/mirror', {}, changes)).statusCode, 400);
  t.is((await post('/v1/flow-table/flush', { match: 'vrf' }, changes)).statusCode, 400);
});

test('a request that cannot be meant is refused with status 400', async (t) => {
  const bad = [
    '/v1/vif/eth0',
    '/v1/vif/-1',
    '/v1/rt/7/inet/5.5.5/24',
    '/v1/rt/7/inet/fd00::/24',
    '/v1/rt/7/inet/5.5.5.0/33',
    '/v1/rt/7/inet6/5.5.5.0/24',
    '/v1/rt/7/bridge/2:0:0:0:0:1',
    '/v1/wait?timeout=-1',
    '/v1/wait?timeout=soon',
    '/v1/flow?match=10.0.0',
    '/v1/flow?sort=colour',
    '/v1/flow?top=0',
    '/v1/flow/-1',
  ];
  for (const url of bad) {
    const reply = await get(url);
    t.is(reply.statusCode, 400, url);
    t.is(errorOf(reply).code, 'invalid');
    t.notRegex(errorOf(reply).message, /\n/);
  }
  t.is((await post('/v1/apply', { dryRun: true })).statusCode, 400);
  t.is(
    (
      await api().inject({
        method: 'POST',
        url: '/v1/apply',
        payload: '{',
        headers: { 'content-type': 'application/json' },
      })
    ).statusCode,
    400,
  );
});

test('an address of the API that does not exist is refused with status 404', async (t) => {
  const reply = await get('/v2/vif');
  t.is(reply.statusCode, 404);
  t.is(errorOf(reply).message, 'there is no GET /v2/vif; docs/api.md lists all');
});

test('apply hands on documents and options, and answers the outcomes', async (t) => {
  const asked: unknown[] = [];
  const apply: DaemonView['apply'] = (documents, options) => {
    asked.push(documents, options);
    return Promise.resolve([{ kind: 'VirtualNetwork', name: 'a:b:c', outcome: 'created' }]);
  };
  const reply = await post('/v1/apply', { documents: [{ kind: 'VirtualNetwork' }, null], prune: true }, { apply });
  t.deepEqual(reply.json(), [{ kind: 'VirtualNetwork', name: 'a:b:c', outcome: 'created' }]);
  t.deepEqual(asked, [[{ kind: 'VirtualNetwork' }, null], { dryRun: false, prune: true }]);
});

test('delete and objects hand on what they were asked', async (t) => {
  const remove: DaemonView['remove'] = (documents) =>
    Promise.resolve([{ kind: 'x', name: String(documents.length), outcome: 'deleted' }]);
  t.like((await post('/v1/delete', { documents: [1, 2] }, { remove })).json(), { 0: { name: '2' } });
  const objects: DaemonView['objects'] = (kind, name) => Promise.resolve([{ kind, name }]);
  t.deepEqual((await get('/v1/objects?kind=VirtualNetwork&name=a%3Ab%3Ac', { objects })).json(), [
    { kind: 'VirtualNetwork', name: 'a:b:c' },
  ]);
  t.deepEqual((await get('/v1/objects', { objects })).json(), [{}]);
});

test('a refusal keeps its code, message and path, and has a status', async (t) => {
  const refuse = (error: Error) => get('/v1/objects', { objects: () => Promise.reject(error) });
  const invalid = await refuse(
    new RefusedError('invalid', 'VirtualNetwork/blue: spec.mtu: 5 is too small', 'spec.mtu'),
  );
  t.is(invalid.statusCode, 400);
  t.deepEqual(errorOf(invalid), {
    code: 'invalid',
    message: 'VirtualNetwork/blue: spec.mtu: 5 is too small',
    path: 'spec.mtu',
  });
  t.is((await refuse(new RefusedError('notFound', 'no'))).statusCode, 404);
  t.is((await refuse(new RefusedError('inUse', 'no'))).statusCode, 400);
  t.is((await refuse(new RefusedError('unavailable', 'no'))).statusCode, 503);
});

test('an error of the daemon itself is logged and answered with status 500', async (t) => {
  const reply = await get('/v1/objects', { objects: () => Promise.reject(new Error('out of cheese')) });
  t.is(reply.statusCode, 500);
  t.is(errorOf(reply).message, 'vrouterd failed (out of cheese); look at its log');
  t.deepEqual(logged, ['a request failed']);
});

test('wait answers at once when everything is realised', async (t) => {
  t.deepEqual((await get('/v1/wait?timeout=100')).json(), { realised: true, pending: [] });
});

test('wait names what is pending when its time is up', async (t) => {
  const pending = { realised: false, pending: [{ kind: 'VirtualMachineInterface', name: 'a', reason: 'no device' }] };
  t.deepEqual((await get('/v1/wait', { pending: () => pending })).json(), pending);
});

test('wait answers as soon as the last object is realised', async (t) => {
  let left = 2;
  let subscribed = 0;
  const reply = await get('/v1/wait?timeout=100', {
    pending: () => ({ realised: left === 0, pending: [] }),
    onProgress: (callback) => {
      subscribed++;
      const step = (): void => {
        left--;
        callback();
        if (left > 0) setImmediate(step);
      };
      setImmediate(step);
      return () => {
        subscribed--;
      };
    },
  });
  t.true(reply.json<{ realised: boolean }>().realised);
  t.is(subscribed, 0);
});

test('closing the server ends those who wait', async (t) => {
  const app = api({ pending: () => ({ realised: false, pending: [] }) });
  const waiting = app.inject('/v1/wait?timeout=100');
  await new Promise((resolve) => setTimeout(resolve, 20));
  await app.close();
  t.false((await waiting).json<{ realised: boolean }>().realised);
});

test('a long list leaves the event loop free in between', async (t) => {
  const rows = 65_536;
  let turns = 0;
  const tick = setInterval(() => turns++, 0);
  const reply = await get('/v1/rt/7/inet', { inetRoutes: () => Array.from({ length: rows }, () => inetRoute()) });
  clearInterval(tick);
  t.is(reply.body.length, rows * (JSON.stringify(inetRoute()).length + 1));
  t.true(turns > 2);
});

test('metrics show interfaces, drops, flows, the worker and the daemon', async (t) => {
  const reply = await get('/metrics');
  t.regex(String(reply.headers['content-type']), /^text\/plain/);
  const labels = 'vif="8",name="tapaaf088f0-65",vmi="default-domain:default-project:l3c1"';
  for (const line of [
    `vrouter_vif_receive_packets_total{${labels}} 479`,
    `vrouter_vif_transmit_bytes_total{${labels}} 51267`,
    `vrouter_vif_drops_total{${labels}} 21`,
    'vrouter_drops_total{reason="Pull Fails"} 1',
    'vrouter_worker_heartbeat_age_seconds 0.25',
    'vrouter_worker_restarts_total 2',
    'vrouter_books_packets_total{entry="received"} 10',
    'vrouter_build_info{version="0.1.0",host="server-4c"} 1',
    'vrouter_interfaces_active 1',
    `vrouter_vif_flow_entries{${labels}} 4`,
    'vrouter_mirror_packets_total{mirror="0",name="DPI",direction="ingress"} 12',
    'vrouter_mirror_bytes_total{mirror="0",name="DPI",direction="egress"} 1078',
    'vrouter_mirror_not_copied_total{mirror="0",name="DPI",reason="limited"} 2',
    'vrouter_mirror_resolved{mirror="0",name="DPI"} 1',
    'vrouter_flow_entries 40',
    'vrouter_flows_created_total 100',
    'vrouter_flows_evicted_total 50',
    'vrouter_flows_refused_total{reason="limit"} 2',
    'vrouter_session_records_total{outcome="lost"} 1',
  ]) {
    t.true(reply.body.includes(`\n${line}\n`), line);
  }
});

test('a second scrape shows the counters as they are, and forgets interfaces that are gone', async (t) => {
  let vifs = [guestVif(), guestVif({ id: 9 })];
  const view = guestView({ vifs: () => vifs });
  const metrics = new Metrics(view);
  await metrics.text();
  vifs = [guestVif({ rx: { packets: 480, bytes: 0, errors: 0 } })];
  const text = await metrics.text();
  t.regex(text, /vrouter_vif_receive_packets_total\{vif="8"[^}]*\} 480\n/);
  t.notRegex(text, /vif="9"/);
});

test('a server for scrapes answers nothing else', async (t) => {
  const app = createMetricsServer(new Metrics(guestView()), log);
  t.is((await app.inject('/metrics')).statusCode, 200);
  t.is((await app.inject('/v1/vif')).statusCode, 404);
});

test('metrics show tunnels and the numbers packets are taken with', async (t) => {
  const text = (await get('/metrics')).body;
  const wanted = { peers: 2, tunnels: 3, tunnels_unresolved: 1, labels: 14, vnis: 2 };
  for (const [name, value] of Object.entries(wanted)) t.true(text.includes(`\nvrouter_${name} ${value}\n`), name);
});

test('the hosts of the cluster are listed, shown one by one, and measured', async (t) => {
  const lines = (await get('/v1/hosts')).body.trim().split('\n');
  t.deepEqual(
    lines.map((line): unknown => JSON.parse(line)),
    [...clusterHosts()],
  );
  t.like((await get('/v1/hosts/beta')).json(), { name: 'beta', state: 'keepaliveAnswered' });
  const reply = await get('/v1/hosts/gamma');
  t.is(reply.statusCode, 404);
  t.like(reply.json(), { error: { message: 'host gamma does not exist; vrouter get hosts lists all' } });

  const text = (await get('/metrics')).body;
  t.regex(text, /^vrouter_hosts\{state="alive"\} 1$/m);
  t.regex(text, /^vrouter_hosts\{state="keepaliveAnswered"\} 1$/m);
  t.regex(text, /^vrouter_hosts\{state="withdrawn"\} 0$/m);
  t.regex(text, /^vrouter_host_routes 12$/m);
  t.regex(text, /^vrouter_host_log_lag_entries 7$/m);
  t.regex(text, /^vrouter_host_log_lag_seconds 1.25$/m);
  t.regex(text, /^vrouter_host_log_entries_total 41$/m);
  t.regex(text, /^vrouter_host_rereads_total 2$/m);
});
