/**
 * Real TUN/TAP devices, as root.
 *
 *     process ── fd ── ports-tt0 (own namespace)         process ── fd ── guest0 (namespace ports-tt)
 */
import { execFileSync } from 'node:child_process';
import { readSync, writeSync } from 'node:fs';
import test from 'ava';
import { closeFd, openTap, setOffloads, setPersist } from 'tuntap2';

const NETNS = 'ports-tt';
const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
const link = (...args: readonly string[]): Record<string, unknown> =>
  (JSON.parse(ip('-j', '-d', ...args)) as Record<string, unknown>[])[0];

const root = process.getuid?.() === 0;
const serial = root ? test.serial : test.serial.skip;

test.before(() => {
  if (root) ip('netns', 'add', NETNS);
});
test.after.always(() => {
  if (root) ip('netns', 'del', NETNS);
});

serial('a device without a name gets the next free one and vanishes with its descriptor', (t) => {
  const device = openTap({});
  t.regex(device.name, /^tap\d+$/);
  t.is(link('link', 'show', device.name)['ifindex'], device.ifindex);
  closeFd(device.fd);
  t.throws(() => ip('link', 'show', device.name), { message: /does not exist/ });
});

serial('a named device is created inside a namespace, frames go both ways, this thread stays where it is', (t) => {
  const device = openTap({ name: 'guest0', netns: `/run/netns/${NETNS}` });
  t.teardown(() => {
    closeFd(device.fd);
  });
  t.throws(() => ip('link', 'show', 'guest0'), { message: /does not exist/ });
  t.is(link('-n', NETNS, 'link', 'show', 'guest0')['ifindex'], device.ifindex);
  ip('-n', NETNS, 'link', 'set', 'guest0', 'up');

  const frame = Buffer.alloc(60, 0xff);
  t.is(writeSync(device.fd, frame), 60);
  ip('-n', NETNS, 'address', 'add', '192.0.2.1/24', 'dev', 'guest0');
  ip('-n', NETNS, 'neighbour', 'add', '192.0.2.2', 'dev', 'guest0', 'use', 'nud', 'none');
  // The kernel resolves that neighbour with ARP; IPv6 may have started talking as well.
  const seen: number[] = [];
  const buffer = Buffer.alloc(2048);
  for (;;) {
    try {
      readSync(device.fd, buffer);
      seen.push(buffer.readUInt16BE(12));
    } catch (error) {
      t.is((error as NodeJS.ErrnoException).code, 'EAGAIN');
      break;
    }
  }
  t.true(seen.includes(0x0806));
});

serial('a persistent device keeps owner and group, is adopted again and goes when persistence is taken back', (t) => {
  const first = openTap({ name: 'ports-tt0', persist: true, vnetHeader: true, owner: 1234, group: 4321 });
  t.throws(() => openTap({ name: 'ports-tt0', vnetHeader: true }), { code: 'EBUSY' });
  closeFd(first.fd);
  t.like(link('link', 'show', 'ports-tt0'), {
    ifindex: first.ifindex,
    linkinfo: {
      info_data: { type: 'tap', vnet_hdr: true, multi_queue: false, persist: true, user: 1234, group: 4321 },
    },
  });
  const second = openTap({ name: 'ports-tt0', vnetHeader: true });
  t.is(second.ifindex, first.ifindex);
  setOffloads(second.fd, false);
  setPersist(second.fd, false);
  closeFd(second.fd);
  t.throws(() => ip('link', 'show', 'ports-tt0'), { message: /does not exist/ });
});

serial('several queues attach to one device when all ask for it', (t) => {
  const queues = [0, 1].map(() => openTap({ name: 'ports-tt0', multiQueue: true, vnetHeader: true }));
  t.is(queues[0].ifindex, queues[1].ifindex);
  t.throws(() => openTap({ name: 'ports-tt0', vnetHeader: true }), { code: 'EINVAL' });
  for (const { fd } of queues) closeFd(fd);
});

serial('a TUN carries IP packets without a header in front', (t) => {
  const device = openTap({ name: 'ports-tt0', mode: 'tun' });
  t.teardown(() => {
    closeFd(device.fd);
  });
  t.like(link('link', 'show', 'ports-tt0'), { link_type: 'none', linkinfo: { info_data: { type: 'tun', pi: false } } });
});

serial('the name of an interface of another kind is refused', (t) => {
  t.throws(() => openTap({ name: 'lo' }), { code: 'EINVAL', message: 'EINVAL: invalid argument, TUNSETIFF lo' });
});

serial('a file that is no network namespace is refused', (t) => {
  t.throws(() => openTap({ netns: '/etc/hostname' }), { code: 'EINVAL', message: /setns \/etc\/hostname/ });
});
