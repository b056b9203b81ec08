import test from 'ava';
import type { InterfaceAddress, Link, Neighbour, Route } from 'packet-io';
import { parseAddress } from '../wire/addr.js';
import { KernelUnderlay, type UnderlayKernel, type UnderlayLink, type UnderlaySettings } from './underlay.js';

const ETH0: Link = {
  ifindex: 3,
  name: 'eth0',
  flags: 0x11043,
  up: true,
  carrier: true,
  operUp: true,
  mtu: 1500,
  address: '02:00:00:00:00:0a',
  alias: '',
  kind: '',
  peer: 0,
};
const LO: Link = { ...ETH0, ifindex: 1, name: 'lo', flags: 0x10049, mtu: 65536, address: '00:00:00:00:00:00' };

/** A kernel of maps, and a clock that moves when it is told. */
class FakeKernel implements UnderlayKernel {
  list: Link[] = [LO, ETH0];
  own: InterfaceAddress[] = [{ ifindex: 3, address: parseAddress('10.0.0.1'), length: 24 }];
  /** By destination; others are on the link. */
  routes = new Map<string, Partial<Route> | undefined>();
  table: Neighbour[] = [];
  used: string[] = [];
  now = 0;
  #soon: (() => void)[] = [];
  #timers: { at: number; work: () => void }[] = [];

  links = () => this.list;
  addresses = () => this.own;
  neighbours = () => this.table;
  routeTo = (destination: Uint8Array): Route | undefined => {
    const text = [...destination].join('.');
    const exception = this.routes.get(text);
    if (this.routes.has(text) && !exception) return undefined;
    const base = { family: 4, table: 254, destination, length: 32, type: 1, protocol: 0, oif: 3, mtu: 0 } as const;
    return { ...base, gateway: undefined, ...exception };
  };
  useNeighbour = (ifindex: number, address: Uint8Array): void => void this.used.push(`${ifindex} ${address.join('.')}`);

  later = {
    soon: (work: () => void): void => void this.#soon.push(work),
    after: (ms: number, work: () => void) => {
      const timer = { at: this.now + ms, work };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
    },
    now: () => this.now,
  };

  /** Lets what is due happen. */
  run(ms = 0): void {
    this.now += ms;
    for (const work of this.#soon.splice(0)) work();
    const due = this.#timers.filter(({ at }) => at <= this.now);
    this.#timers = this.#timers.filter(({ at }) => at > this.now);
    for (const { work } of due) work();
  }
}

const neighbour = (address: string, mac: string, stale = false): Neighbour => ({
  ifindex: 3,
  address: parseAddress(address),
  mac,
  stale,
});

function setUp(settings: Partial<UnderlaySettings> = {}) {
  const kernel = new FakeKernel();
  const underlay = new KernelUnderlay({ address: '10.0.0.1', ...settings }, kernel, kernel.later);
  const changes: string[] = [];
  underlay.onChange((addresses) => changes.push(...addresses));
  return { kernel, underlay, changes };
}

const REWRITE = '020000000002' + '02000000000a' + '0800';

test('the way to a host on the link is its own MAC, once the kernel was made to ask for it', (t) => {
  const { kernel, underlay, changes } = setUp();
  underlay.follow(new Set(['10.0.0.2']));
  t.deepEqual(underlay.wayTo('10.0.0.2'), { source: '10.0.0.1', rewrite: '', mtu: 1500 });
  t.deepEqual(kernel.used, ['3 10.0.0.2']);

  underlay.neighbourIs(neighbour('10.0.0.2', '02:00:00:00:00:02'), false);
  kernel.run();
  t.deepEqual(changes, ['10.0.0.2']);
  t.deepEqual(underlay.wayTo('10.0.0.2'), { source: '10.0.0.1', rewrite: REWRITE, mtu: 1500 });
});

test('hosts behind a gateway have the gateway as their neighbour, and follow its MAC', (t) => {
  const { kernel, underlay, changes } = setUp();
  for (const far of ['10.9.0.1', '10.9.0.2'])
    kernel.routes.set(far, { gateway: parseAddress('10.0.0.254'), mtu: 1400 });
  kernel.table = [neighbour('10.0.0.254', '02:00:00:00:00:02')];
  underlay.reread();
  underlay.follow(new Set(['10.9.0.1', '10.9.0.2', '10.0.0.3']));
  t.deepEqual(underlay.wayTo('10.9.0.1'), { source: '10.0.0.1', rewrite: REWRITE, mtu: 1400 });

  underlay.neighbourIs(neighbour('10.0.0.254', '02:00:00:00:00:03'), false);
  kernel.run();
  t.deepEqual(changes, ['10.9.0.1', '10.9.0.2']);
  t.is(underlay.wayTo('10.9.0.2')?.rewrite, REWRITE.replace('0002', '0003'));
});

test('another route is another way, and none is none', (t) => {
  const { kernel, underlay, changes } = setUp();
  kernel.table = [neighbour('10.0.0.254', '02:00:00:00:00:fe'), neighbour('10.0.0.253', '02:00:00:00:00:fd')];
  underlay.reread();
  kernel.routes.set('10.9.0.1', { gateway: parseAddress('10.0.0.254') });
  underlay.follow(new Set(['10.9.0.1', '10.0.0.2']));
  kernel.routes.set('10.9.0.1', { gateway: parseAddress('10.0.0.253') });
  underlay.routesChanged();
  kernel.run();
  t.is(underlay.wayTo('10.9.0.1')?.rewrite.slice(0, 12), '0200000000fd');
  t.deepEqual(changes, ['10.9.0.1']);
  for (const [exception, what] of [
    [undefined, 'no route'],
    [{ oif: 7 }, 'a route through another interface'],
    [{ type: 2 }, 'an address of our own'],
    [{ type: 6 }, 'a blackhole'],
  ] as const) {
    kernel.routes.set('10.9.0.1', exception);
    underlay.routesChanged();
    kernel.run();
    t.is(underlay.wayTo('10.9.0.1'), null, what);
  }
});

test('a neighbour that does not answer is asked again until it does', (t) => {
  const { kernel, underlay } = setUp();
  underlay.follow(new Set(['10.0.0.2']));
  kernel.used = [];
  underlay.neighbourIs(neighbour('10.0.0.2', ''), false);
  kernel.run(10);
  t.deepEqual(kernel.used, []);
  kernel.run(2000);
  kernel.run(2000);
  t.deepEqual(kernel.used, ['3 10.0.0.2', '3 10.0.0.2']);
  underlay.neighbourIs(neighbour('10.0.0.2', '02:00:00:00:00:02'), false);
  kernel.run();
  kernel.used = [];
  kernel.run(2000);
  kernel.run(2000);
  t.deepEqual(kernel.used, []);
});

test('a neighbour nobody confirmed lately is used, so that the kernel confirms it, and stays known meanwhile', (t) => {
  const { kernel, underlay, changes } = setUp();
  kernel.table = [neighbour('10.0.0.2', '02:00:00:00:00:02')];
  underlay.reread();
  underlay.follow(new Set(['10.0.0.2']));
  kernel.used = [];
  underlay.neighbourIs(neighbour('10.0.0.2', '02:00:00:00:00:02', true), false);
  underlay.neighbourIs(neighbour('10.0.0.9', '02:00:00:00:00:09', true), false);
  kernel.run();
  t.deepEqual(kernel.used, ['3 10.0.0.2'], 'only who is wanted');
  t.deepEqual(changes, []);
  t.is(underlay.wayTo('10.0.0.2')?.rewrite, REWRITE);
});

test('a neighbour the kernel forgets is asked for again', (t) => {
  const { kernel, underlay, changes } = setUp();
  kernel.table = [neighbour('10.0.0.2', '02:00:00:00:00:02')];
  underlay.reread();
  underlay.follow(new Set(['10.0.0.2']));
  kernel.used = [];
  underlay.neighbourIs(neighbour('10.0.0.2', '02:00:00:00:00:02'), true);
  kernel.run();
  t.deepEqual(changes, ['10.0.0.2']);
  t.is(underlay.wayTo('10.0.0.2')?.rewrite, '');
  t.deepEqual(kernel.used, ['3 10.0.0.2']);
});

test('the interface may go, come back as another one, and change its MAC and MTU', (t) => {
  const { kernel, underlay } = setUp();
  const links: (UnderlayLink | null)[] = [];
  underlay.onLink((link) => links.push(link));
  kernel.table = [neighbour('10.0.0.2', '02:00:00:00:00:02')];
  underlay.reread();
  underlay.follow(new Set(['10.0.0.2']));
  const change = (list: Link[], ifindex: number): void => {
    kernel.list = list;
    kernel.own = [{ ifindex, address: parseAddress('10.0.0.1'), length: 24 }];
    kernel.table = [{ ...neighbour('10.0.0.2', '02:00:00:00:00:02'), ifindex }];
    kernel.routes.set('10.0.0.2', { oif: ifindex });
    underlay.linksChanged();
    kernel.run();
  };
  change([LO], 3);
  t.is(underlay.link, null);
  t.is(underlay.wayTo('10.0.0.2'), null);
  change([LO, { ...ETH0, ifindex: 9 }], 9);
  t.is(underlay.wayTo('10.0.0.2')?.rewrite, REWRITE);
  change([LO, { ...ETH0, ifindex: 9, mtu: 9000, address: '02:00:00:00:00:0b' }], 9);
  t.deepEqual(underlay.wayTo('10.0.0.2'), {
    source: '10.0.0.1',
    rewrite: REWRITE.replace('0a08', '0b08'),
    mtu: 9000,
  });
  const now = { ifindex: 9, name: 'eth0', mac: '02:00:00:00:00:0a', mtu: 1500 };
  t.deepEqual(links, [null, now, { ...now, mac: '02:00:00:00:00:0b', mtu: 9000 }]);
});

test('the loopback is no underlay; an interface may be named, and its MTU lowered', (t) => {
  t.is(setUp({ interface: 'lo' }).underlay.link, null);
  t.is(setUp({ address: '127.0.0.1' }).underlay.link, null);
  t.deepEqual(setUp({ address: '10.7.7.7', interface: 'eth0', mtu: 1300 }).underlay.link, {
    ifindex: 3,
    name: 'eth0',
    mac: ETH0.address,
    mtu: 1300,
  });
});

test('what ICMP says of a path holds for ten minutes, for that destination alone, and never raises', (t) => {
  const { kernel, underlay, changes } = setUp();
  underlay.follow(new Set(['10.0.0.2', '10.0.0.3']));
  underlay.learnMtu('10.0.0.2', 1300);
  underlay.learnMtu('10.0.0.2', 1400);
  underlay.learnMtu('10.0.0.4', 1300);
  t.deepEqual(changes, ['10.0.0.2']);
  t.deepEqual(
    ['10.0.0.2', '10.0.0.3', '10.0.0.4'].map((address) => underlay.wayTo(address)?.mtu),
    [1300, 1500, 1500],
  );
  underlay.learnMtu('10.0.0.3', 68);
  t.is(underlay.wayTo('10.0.0.3')?.mtu, 552, 'nobody makes it tiny');
  kernel.run(9 * 60_000);
  underlay.learnMtu('10.0.0.3', 540);
  t.is(underlay.wayTo('10.0.0.2')?.mtu, 1300);
  kernel.run(60_000);
  kernel.run(1);
  t.is(underlay.wayTo('10.0.0.2')?.mtu, 1500);
  t.deepEqual(changes, ['10.0.0.2', '10.0.0.3', '10.0.0.2', '10.0.0.3']);
});

test('only the ways that are followed are kept and told', (t) => {
  const { kernel, underlay, changes } = setUp();
  underlay.follow(new Set(['10.0.0.2', '10.0.0.3']));
  underlay.follow(new Set(['10.0.0.3']));
  for (const last of [2, 3]) underlay.neighbourIs(neighbour(`10.0.0.${last}`, `02:00:00:00:00:0${last}`), false);
  kernel.run();
  t.deepEqual(changes, ['10.0.0.3']);
  t.is(underlay.wayTo('10.0.0.2')?.rewrite, REWRITE, 'and still answered');
  underlay.close();
});

test('there is no way to an address of the other family', (t) => {
  t.is(setUp().underlay.wayTo('fd00::2'), null);
});

test('with a raw socket the kernel finds the next hop, on interfaces without MAC too', (t) => {
  const { kernel, underlay } = setUp({ driver: 'raw' });
  kernel.list = [LO, { ...ETH0, name: 'wg0', address: '', mtu: 1420 }];
  underlay.reread();
  underlay.follow(new Set(['10.0.0.2']));
  t.deepEqual(underlay.wayTo('10.0.0.2'), {
    source: '10.0.0.1',
    rewrite: '0200000000fe' + '0200000000fe' + '0800',
    mtu: 1420,
  });
  t.deepEqual(kernel.used, []);
});
