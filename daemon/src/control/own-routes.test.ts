import test from 'ava';
import fc from 'fast-check';
import { type HostRoute, hostRouteKey } from './host-route.js';
import { OwnRoutes } from './own-routes.js';

const route = fc
  .tuple(fc.nat(5), fc.nat(2))
  .map(([n, label]): HostRoute => ({ kind: 'flood', network: `n${n}`, label, vni: n }));

test('what is written is the difference, and after it nothing is left to write', (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(route, { maxLength: 8 }), { maxLength: 6 }), (publishes) => {
      const own = new OwnRoutes('host', 'me');
      const stored = new Map<string, string>();
      for (const routes of publishes) {
        const before = new Map(stored);
        own.want(new Map(routes.map((one) => [hostRouteKey(one), one])));
        const changes = own.difference();
        for (const [key, text] of changes) {
          t.not(before.get(key), text ?? undefined);
          if (text === null) stored.delete(key);
          else stored.set(key, text);
        }
        own.written(changes);
        t.deepEqual(own.difference(), []);
        const wanted = new Map(routes.map((one) => [hostRouteKey(one), JSON.stringify(one)]));
        t.deepEqual(new Map([...stored].sort()), new Map([...wanted, ['host', 'me'] as const].sort()));
      }
    }),
  );
});

test('what others did to the store is found, and put right', (t) => {
  const own = new OwnRoutes('host', 'me');
  const one: HostRoute = { kind: 'flood', network: 'n', label: 1, vni: 1 };
  own.want(new Map([[hostRouteKey(one), one]]));
  own.written(own.difference());
  t.true(own.found({ host: 'me', 'flood n': JSON.stringify(one) }));
  t.false(own.found({ 'flood n': 'x', 'flood m': 'y' }));
  t.deepEqual(own.difference(), [
    ['host', 'me'],
    ['flood n', JSON.stringify(one)],
    ['flood m', null],
  ]);
});
