/** Requests that read the tables: vif, nh, rt, mirror, mpls, vxlan, dropstats, vrfstats, status, hosts. */
import { isIP } from 'node:net';

import type { FastifyInstance, FastifyReply } from 'fastify';

import type { InetFamily } from '../control/dumps.js';
import { RefusedError } from '../control/refused.js';
import { NDJSON, ndjson } from './ndjson.js';
import type { DaemonView } from './view.js';

const ID = { type: 'integer', minimum: 0 } as const;
const params = (properties: Record<string, object>) => ({ schema: { params: { type: 'object', properties } } });

/** Answers a list, one record a line. */
const list = (reply: FastifyReply, records: Iterable<unknown>): FastifyReply =>
  reply.type(NDJSON).send(ndjson(records));

/** The answer about one thing, or the error operators know for an id that is not in use. */
function found<T>(answer: T | undefined, what: string): T {
  if (answer === undefined) {
    throw new RefusedError(
      'notFound',
      `No such file or directory: there is no ${what}; list them to see which there are`,
    );
  }
  return answer;
}

export function registerTables(app: FastifyInstance, view: DaemonView): void {
  const one = params({ id: ID });
  app.get('/v1/vif', (_, reply) => list(reply, view.vifs()));
  app.get<{ Params: { id: number } }>('/v1/vif/:id', one, ({ params: { id } }) => found(view.vif(id), `vif ${id}`));
  app.get<{ Params: { id: number } }>('/v1/vif/:id/drops', one, ({ params: { id } }) =>
    found(view.vifDrops(id), `vif ${id}`),
  );

  app.get('/v1/nh', (_, reply) => list(reply, view.nexthops()));
  app.get<{ Params: { id: number } }>('/v1/nh/:id', one, ({ params: { id } }) =>
    found(view.nexthop(id), `nexthop ${id}`),
  );

  app.get('/v1/mirror', (_, reply) => list(reply, view.mirrors()));
  app.get<{ Params: { id: number } }>('/v1/mirror/:id', one, ({ params: { id } }) =>
    found(view.mirror(id), `mirror ${id}`),
  );

  registerRoutes(app, view);
  registerTunnelNumbers(app, view);

  app.get('/v1/dropstats', () => view.dropstats());
  app.get('/v1/vrfstats', (_, reply) => list(reply, view.vrfstats()));
  app.get<{ Params: { id: number } }>('/v1/vrfstats/:id', one, ({ params: { id } }) =>
    found(view.vrfstatsOf(id), `VRF ${id}`),
  );
  app.get('/v1/status', () => view.status());
  app.get('/v1/hosts', async (_, reply) => list(reply, await view.hosts()));
  app.get<{ Params: { name: string } }>('/v1/hosts/:name', async ({ params: { name } }) => (await view.hosts(name))[0]);
}

function registerTunnelNumbers(app: FastifyInstance, view: DaemonView): void {
  const one = params({ id: ID });
  app.get('/v1/mpls', (_, reply) => list(reply, view.labels()));
  app.get<{ Params: { id: number } }>('/v1/mpls/:id', one, ({ params: { id } }) =>
    found(view.label(id), `label ${id}`),
  );
  app.get('/v1/vxlan', (_, reply) => list(reply, view.vnis()));
  app.get<{ Params: { id: number } }>('/v1/vxlan/:id', one, ({ params: { id } }) => found(view.vni(id), `VNID ${id}`));
}

const MAC = { type: 'string', pattern: '^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$' } as const;

function registerRoutes(app: FastifyInstance, view: DaemonView): void {
  app.get<{ Params: { vrf: number } }>('/v1/rt/:vrf/bridge', params({ vrf: ID }), ({ params: { vrf } }, reply) =>
    list(reply, found(view.bridgeRoutes(vrf), `VRF ${vrf}`)),
  );
  app.get<{ Params: { vrf: number; mac: string } }>(
    '/v1/rt/:vrf/bridge/:mac',
    params({ vrf: ID, mac: MAC }),
    ({ params: { vrf, mac } }) => found(view.bridgeRoute(vrf, mac.toLowerCase()), `entry for ${mac} in VRF ${vrf}`),
  );
  for (const family of ['inet', 'inet6'] as const) registerInetRoutes(app, view, family);
}

function registerInetRoutes(app: FastifyInstance, view: DaemonView, family: InetFamily): void {
  app.get<{ Params: { vrf: number } }>(`/v1/rt/:vrf/${family}`, params({ vrf: ID }), ({ params: { vrf } }, reply) =>
    list(reply, found(view.inetRoutes(vrf, family), `VRF ${vrf}`)),
  );
  const length = { type: 'integer', minimum: 0, maximum: family === 'inet' ? 32 : 128 };
  app.get<{ Params: { vrf: number; address: string; length: number } }>(
    `/v1/rt/:vrf/${family}/:address/:length`,
    params({ vrf: ID, length }),
    ({ params: { vrf, address, length } }) => {
      if (isIP(address) !== (family === 'inet' ? 4 : 6)) {
        throw new RefusedError('invalid', `'${address}' is no ${family} address; use its usual text`);
      }
      return found(view.inetRoute(vrf, family, address, length), `route for ${address}/${length} in VRF ${vrf}`);
    },
  );
}
