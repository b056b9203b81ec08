import type { Boundary, FdKind, OpenFd } from './boundary.js';
import { chooseBytes, odd } from './values.js';

/** Interfaces of the namespace the run lives in, and names of none. */
const NAMES = ['lo', 'fuzz0', 'fuzz1', 'fuzz2', 'fuzz3', 'nobody', '', '.', 'a/b', 'x'.repeat(16), 'fuzz%d'] as const;
const MACS = ['02:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '2:0:0:0:0:1', '', 'zz:00:00:00:00:00'] as const;
const ADDRESSES = [
  '192.0.2.1/24',
  '192.0.2.1',
  'fd00::1/64',
  '::/0',
  '1.2.3.4/33',
  '',
  '1.2.3.4/\0',
  '0.0.0.0/0',
] as const;
/** rtnetlink: list all links. */
const DUMP_LINKS = [32, 0, 0, 0, 18, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, ...new Array<number>(16).fill(0)] as const;

/** Every function of the addons but those of devices, with arguments right and wrong. Paths lie in `folder`. */
export function harmlessCalls(boundary: Boundary, folder: string): readonly (() => void)[] {
  const { choices, packetIo, tuntap2 } = boundary;
  const path = (): unknown => {
    const chosen = odd(choices, choices.pick(['a', 'b', '.', 'none/x', '/dev/null']));
    return typeof chosen === 'string' && !chosen.startsWith('/') ? `${folder}/${chosen}` : chosen;
  };
  const call = (name: string, ...args: unknown[]): unknown => boundary.call(packetIo, name, ...args);
  const fdOf = (...kinds: readonly FdKind[]): unknown => odd(choices, boundary.chooseFd(...kinds)?.fd);
  return [
    () => {
      const pair = packetIo.messagePair() as number[];
      for (const fd of pair) boundary.opened(fd, 'pair');
    },
    () => boundary.opened(call('createEventFd'), 'event'),
    () => boundary.opened(call('lockFile', path()), 'file'),
    () => boundary.opened(call('openNetlink', odd(choices, choices.pick([0, 1, 1 << 20]))), 'netlink'),
    () => checkMapped(call('mapFile', path(), odd(choices, choices.pick([1, 4096, 100_000, 0])))),
    () =>
      void call(
        'notify',
        odd(choices, choices.pick([`${folder}/none`, '@none', 'x'.repeat(108)])),
        odd(choices, 'READY=1'),
      ),
    () => void call('wake', fdOf('pair', 'event', 'file', 'netlink')),
    () => void call('sendNetlink', fdOf('netlink', 'pair', 'event'), odd(choices, Uint8Array.from(DUMP_LINKS))),
    () =>
      void call(
        'receiveNetlink',
        fdOf('netlink', 'pair', 'event'),
        odd(choices, chooseBytes(choices)),
        choices.pick([0, 0, 1, -1, Number.NaN, 'x']), // nothing that waits
      ),
    () =>
      void boundary.call(
        tuntap2,
        'readFrame',
        fdOf('pair', 'event', 'file', 'tap', 'packet'),
        odd(choices, chooseBytes(choices)),
      ),
    () =>
      void boundary.call(
        tuntap2,
        'writeFrame',
        fdOf('pair', 'event', 'tap', 'packet'),
        odd(choices, chooseBytes(choices)),
      ),
    () => {
      const open = boundary.chooseFd();
      if (open) boundary.opened(boundary.call(tuntap2, 'duplicateFd', open.fd), open.kind);
    },
    () => {
      const open = boundary.chooseFd();
      if (open) boundary.closeFd(open, choices.pick(['closeFd', 'closeInBackground']));
    },
    () => void call('closeFd', choices.pick([-1, 2 ** 31 - 1, 2 ** 31, Number.NaN, 'x'])),
    () => watch(boundary),
    () => watchTap(boundary),
  ];
}

/** What would change the network of the machine: only where the process has one of its own. */
export function networkCalls(boundary: Boundary): readonly (() => void)[] {
  const { choices, packetIo, tuntap2 } = boundary;
  const control = (): unknown => odd(choices, (boundary.chooseFd('route') ?? boundary.chooseFd('pair', 'event'))?.fd);
  const name = (): unknown => odd(choices, choices.pick(NAMES));
  const property = (call: string, ...args: unknown[]): void => void boundary.call(tuntap2, call, control(), ...args);
  const flag = (): unknown => odd(choices, choices.chance(128));
  const family = (): unknown => odd(choices, choices.pick([4, 6, 5]));
  const ifindex = (): unknown => odd(choices, choices.below(8));
  return [
    () =>
      boundary.opened(
        boundary.call(packetIo, 'openPacketSocket', ifindex(), flag(), flag(), odd(choices, 1 << 16)),
        'packet',
      ),
    () => boundary.opened(boundary.call(packetIo, 'openPacketSocket', ifindex(), true, true, 1 << 16), 'packet'),
    () => openTap(boundary),
    () => openTap(boundary),
    () =>
      boundary.opened(
        boundary.call(tuntap2, 'openRouteSocket', ...(choices.chance(64) ? [odd(choices, '/proc/self/ns/net')] : [])),
        'route',
      ),
    () =>
      void boundary.call(
        tuntap2,
        choices.pick(['setPersist', 'setOffloads']),
        odd(choices, boundary.chooseFd('tap', 'pair')?.fd),
        flag(),
      ),
    () => property('isUp', name()),
    () => property('setUp', name(), choices.chance(192) || flag()),
    () => property('getMtu', name()),
    () => property('setMtu', name(), odd(choices, choices.pick([1450, 68, 0, 65_535, 2 ** 31 - 1]))),
    () => property('getMac', name()),
    () => property('setMac', name(), odd(choices, choices.pick(MACS))),
    () => property('getAddress', ifindex(), family()),
    () => property('setAddress', ifindex(), family(), odd(choices, choices.pick(ADDRESSES))),
    () => property('setLinkOffloads', name(), flag()),
    () =>
      void boundary.call(packetIo, 'sendNetlink', odd(choices, boundary.chooseFd('netlink')?.fd), dumpLike(boundary)),
  ];
}

/** A request for links with some bytes changed; it keeps asking for something, so that nothing moves to another namespace. */
function dumpLike({ choices }: Boundary): Uint8Array {
  const bytes = Uint8Array.from(DUMP_LINKS);
  for (let n = choices.below(4); n > 0; n--) bytes[choices.pick([0, 1, 6, 7, 8, 16, 17, 20, 28])] = choices.byte();
  return bytes;
}

function openTap(boundary: Boundary): void {
  const { choices, tuntap2 } = boundary;
  const options = {
    ...(choices.chance(224) ? { name: odd(choices, choices.pick(['fuzz0', 'fuzz1', 'fuzz2', 'tap%d', 'lo'])) } : {}),
    ...(choices.chance(32) ? { netns: odd(choices, choices.pick(['/proc/self/ns/net', '/dev/null', '/none'])) } : {}),
    ...(choices.chance(32) ? { mode: odd(choices, 'tun') } : {}),
    ...(choices.chance(128) ? { vnetHeader: odd(choices, true) } : {}),
    ...(choices.chance(64) ? { offloads: odd(choices, choices.chance(128)) } : {}),
    ...(choices.chance(64) ? { multiQueue: odd(choices, true) } : {}),
    ...(choices.chance(16) ? { owner: odd(choices, 0), group: odd(choices, 0) } : {}),
  };
  const device = boundary.call(tuntap2, 'openTap', odd(choices, options)) as { fd: number } | undefined;
  boundary.opened(device?.fd, 'tap');
}

/** The file is there from the first byte to the last. */
function checkMapped(buffer: unknown): void {
  if (!(buffer instanceof ArrayBuffer)) return;
  const bytes = new Uint8Array(buffer);
  bytes[0] = 1;
  bytes[bytes.length - 1] = 1;
}

function watch(boundary: Boundary): void {
  const { choices, packetIo } = boundary;
  const open = boundary.chooseFd('pair', 'event', 'netlink');
  if (!open) return;
  const handle = boundary.call(
    packetIo,
    'watchReadable',
    odd(choices, open.fd),
    odd(choices, () => undefined),
  );
  if (handle === undefined) return;
  const end = used(boundary, open, () => packetIo.unwatch(handle));
  // Once more does nothing, and neither does another kind of handle.
  if (choices.chance(64)) {
    end();
    boundary.call(packetIo, 'unwatch', handle);
    boundary.call(packetIo, 'step', handle, 0, 0);
  }
}

function watchTap(boundary: Boundary): void {
  const { choices, tuntap2 } = boundary;
  const open = boundary.chooseFd('pair', 'event', 'tap');
  if (!open) return;
  const Watch = tuntap2.Watch as unknown as new (...args: unknown[]) => { want(events: unknown): void; close(): void };
  const made = boundary.attempt(
    'Watch',
    () =>
      new Watch(
        odd(choices, open.fd),
        odd(choices, () => undefined),
      ),
  );
  if (!made) return;
  const end = used(boundary, open, () => {
    made.close();
  });
  boundary.attempt('want', () => {
    made.want(odd(choices, choices.below(5)));
  });
  if (!choices.chance(64)) return;
  end();
  made.close();
  boundary.attempt('want', () => {
    made.want(1);
  });
}

/** The descriptor stays open until what uses it was ended, once: by who gets the returned function, or with the run. */
function used(boundary: Boundary, open: OpenFd, end: () => void): () => void {
  let ended = false;
  const once = (): void => {
    if (ended) return;
    ended = true;
    end();
    open.users--;
  };
  open.users++;
  boundary.endings.unshift(once);
  return once;
}
