/**
 * Real TUN and TAP devices.
 *
 *     this process ── fd ── tapN             this process ── fd ── eth0 │ namespace guest
 */
import { once } from 'node:events';
import { readlink } from 'node:fs/promises';
import { readSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { closeFd, openTap, setOffloads, setPersist, Tap, Tun, tuntap, type Device } from 'tuntap2';
import { Lab } from './lab/lab.js';
import type { Namespace } from './lab/namespace.js';
import { attempt, run, until } from './lab/process.js';

interface Link {
  readonly ifname: string;
  readonly ifindex: number;
  readonly link_type: string;
  readonly operstate: string;
  readonly linkinfo: { readonly info_data: Readonly<Record<string, unknown>> };
  readonly addr_info: readonly Readonly<Record<string, unknown>>[];
}

async function guest(t: ExecutionContext): Promise<{ readonly namespace: Namespace; readonly file: string }> {
  const namespace = await (await Lab.create(t)).namespace('guest');
  return { namespace, file: `/run/netns/${namespace.name}` };
}

const parse = (json: string): Link => (JSON.parse(json) as Link[])[0];
const show = async ({ name }: Namespace, device: string): Promise<Link> =>
  parse(await run(['ip', '-n', name, '-j', '-d', 'link', 'show', device]));
const exists = async (name: string): Promise<boolean> => (await attempt(['ip', 'link', 'show', name])).code === 0;

/** An Ethernet frame of 60 bytes to everybody, of a type nothing answers, numbered in its 15th byte. */
const numbered = (n: number): Buffer => {
  const frame = Buffer.alloc(60, 0xff);
  frame.writeUIntBE(0x02_00_00_00_00_01, 6, 6);
  frame.writeUInt16BE(0x88b5, 12);
  frame[14] = n;
  return frame;
};
const isNumbered = (frame: Buffer): boolean => frame.readUInt16BE(12) === 0x88b5;

const released = (device: Device): Promise<void> =>
  new Promise((done) => {
    device.release(done);
  });
const write = (device: Device, frame: Buffer): Promise<void> =>
  new Promise((done, fail) => {
    device.write(frame, (error) => {
      if (error) fail(error);
      else done();
    });
  });

test('a device without a name gets the next free one and vanishes with its descriptor', async (t) => {
  const device = openTap({});
  t.regex(device.name, /^tap\d+$/);
  t.is(parse(await run(['ip', '-j', 'link', 'show', device.name])).ifindex, device.ifindex);
  closeFd(device.fd);
  t.false(await exists(device.name));
});

test('a device is made inside a namespace, frames go both ways, this thread stays where it is', async (t) => {
  const { file, namespace } = await guest(t);
  const here = await readlink('/proc/thread-self/ns/net');
  const device = openTap({ name: 'guest0', netns: file });
  t.teardown(() => {
    closeFd(device.fd);
  });
  t.is(await readlink('/proc/thread-self/ns/net'), here);
  t.is((await show(namespace, 'guest0')).ifindex, device.ifindex);
  await namespace.run('ip link set guest0 up');
  t.is(writeSync(device.fd, numbered(0)), 60);

  await namespace.run('ip address add 192.0.2.1/24 dev guest0');
  await namespace.run('ip neighbour add 192.0.2.2 dev guest0 use nud none');
  // The kernel resolves that neighbour with ARP; IPv6 may have started talking as well.
  const types: number[] = [];
  const buffer = Buffer.alloc(2048);
  for (;;) {
    try {
      readSync(device.fd, buffer);
      types.push(buffer.readUInt16BE(12));
    } catch (error) {
      t.is((error as NodeJS.ErrnoException).code, 'EAGAIN');
      break;
    }
  }
  t.true(types.includes(0x0806));
});

test('a persistent device keeps owner and group, is adopted and goes when persistence is taken back', async (t) => {
  const { file, namespace } = await guest(t);
  const first = openTap({ name: 'tt0', netns: file, persist: true, vnetHeader: true, owner: 1234, group: 4321 });
  t.throws(() => openTap({ name: 'tt0', netns: file, vnetHeader: true }), { code: 'EBUSY' });
  closeFd(first.fd);
  const { ifindex, linkinfo } = await show(namespace, 'tt0');
  t.is(ifindex, first.ifindex);
  t.like(linkinfo.info_data, {
    type: 'tap',
    vnet_hdr: true,
    multi_queue: false,
    persist: true,
    user: 1234,
    group: 4321,
  });

  const second = openTap({ name: 'tt0', netns: file, vnetHeader: true });
  t.is(second.ifindex, first.ifindex);
  setOffloads(second.fd, false);
  setPersist(second.fd, false);
  closeFd(second.fd);
  await t.throwsAsync(show(namespace, 'tt0'), { message: /does not exist/ });
});

test('several queues attach to one device when all ask for it', async (t) => {
  const { file } = await guest(t);
  const queues = [0, 1].map(() => openTap({ name: 'tt0', netns: file, multiQueue: true, vnetHeader: true }));
  t.is(queues[0].ifindex, queues[1].ifindex);
  t.throws(() => openTap({ name: 'tt0', netns: file, vnetHeader: true }), { code: 'EINVAL' });
  for (const { fd } of queues) closeFd(fd);
});

test('what is no TUN, no TAP or no network namespace is refused', async (t) => {
  const { file } = await guest(t);
  t.throws(() => openTap({ name: 'lo', netns: file }), {
    code: 'EINVAL',
    message: 'EINVAL: invalid argument, TUNSETIFF lo',
  });
  t.throws(() => openTap({ netns: '/etc/hostname' }), { code: 'EINVAL', message: /setns \/etc\/hostname/ });
});

test('properties are read and set while the device is down and in another namespace', async (t) => {
  const { file, namespace } = await guest(t);
  const tap = new Tap({ netns: file, name: 'guest0' });
  t.false(tap.isUp);
  t.regex(tap.mac, /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  t.is(tap.ipv4, '');
  t.is(tap.ipv6, '');
  tap.mac = '02:00:00:00:00:2A';
  tap.mtu = 1400;
  tap.ipv4 = '192.0.2.1/24';
  tap.ipv6 = '2001:db8::1/64';
  t.deepEqual([tap.mac, tap.mtu, tap.ipv4, tap.ipv6], ['02:00:00:00:00:2a', 1400, '192.0.2.1/24', '2001:db8::1/64']);
  tap.isUp = true;
  t.true(tap.isUp);
  tap.ipv4 = '192.0.2.2/25';
  tap.ipv6 = '2001:db8::2/64';
  const { addr_info: addresses } = parse(await namespace.run('ip -j address show guest0'));
  t.deepEqual(
    addresses
      .filter(({ scope }) => scope === 'global')
      .map(({ local, prefixlen, broadcast }) => [local, prefixlen, broadcast]),
    [
      ['192.0.2.2', 25, '192.0.2.127'],
      ['2001:db8::2', 64, undefined],
    ],
  );
  for (const bad of ['192.0.2.1', '192.0.2.1/33', '192.0.2/24', '', '2001:db8::1/64', '1.2.3.4/ 8', '1.2.3.4/-1']) {
    t.throws(() => (tap.ipv4 = bad), { code: 'ERR_INVALID_ARG_VALUE' }, bad);
  }
  for (const bad of ['02:00:00:00:00', '02-00-00-00-00-01', '02:00:00:00:00:0g', '']) {
    t.throws(() => (tap.mac = bad), { code: 'ERR_INVALID_ARG_VALUE' }, bad);
  }
  t.throws(() => (tap.mtu = 1e9), { code: 'EINVAL', message: /SIOCSIFMTU guest0/ });
  await released(tap);
});

test('a TUN carries IP packets without a header in front and has no MAC address', async (t) => {
  const { file, namespace } = await guest(t);
  const tun = tuntap({ type: 'tun', netns: file, mtu: 1300, addr: '192.0.2.1', mask: '255.255.255.0', up: true });
  t.deepEqual([tun.isTun, tun.isTap, tun.isUp, tun.mtu, tun.ipv4], [true, false, true, 1300, '192.0.2.1/24']);
  t.like(await show(namespace, tun.name), { link_type: 'none', linkinfo: { info_data: { type: 'tun', pi: false } } });
  t.throws(() => tun.mac, { message: /TUN/ });
  await released(tun);
});

test('more devices than the thread pool has threads pass frames, one per chunk, in order', async (t) => {
  const { file, namespace } = await guest(t);
  // What is written to one TAP the bridge hands to the others.
  await namespace.run('ip link add br0 up type bridge mcast_snooping 0');
  const taps = Array.from({ length: 6 }, (_, i) => new Tap({ netns: file, name: `guest${i}` }));
  for (const tap of taps) {
    tap.isUp = true;
    await namespace.run(`ip link set ${tap.name} master br0`);
  }
  await until('all ports forward', async () => {
    const ports = JSON.parse(await namespace.run('bridge -j link')) as { state: string }[];
    return ports.every(({ state }) => state === 'forwarding') ? true : undefined;
  });
  const [sender, ...receivers] = taps;
  const complete = receivers.map(
    (tap) =>
      new Promise<number[]>((done) => {
        const seen: number[] = [];
        tap.on('data', (frame: Buffer) => {
          if (isNumbered(frame) && seen.push(frame[14]) === 100) done(seen);
        });
      }),
  );
  for (let n = 0; n < 100; n++) await write(sender, numbered(n));
  const expected = Array.from({ length: 100 }, (_, n) => n);
  for (const seen of await Promise.all(complete)) t.deepEqual(seen, expected);
  await Promise.all(taps.map(released));
});

test('an async iterator yields one packet at a time, and setEncoding makes it text', async (t) => {
  const { file, namespace } = await guest(t);
  const tun = new Tun({ netns: file, name: 'guest0' });
  tun.setEncoding('hex');
  tun.ipv4 = '192.0.2.1/24';
  tun.isUp = true;
  await namespace.run(['bash', '-c', 'echo -n frame >/dev/udp/192.0.2.2/9; echo -n other >/dev/udp/192.0.2.2/9']);
  const payloads: string[] = [];
  for await (const packet of tun) {
    const bytes = Buffer.from(packet as string, 'hex');
    if (bytes[0] === 0x45 && bytes[9] === 17) payloads.push(bytes.subarray(28).toString());
    if (payloads.length === 2) break;
  }
  t.deepEqual(payloads, ['frame', 'other']);
  t.true(tun.destroyed);
});

test('a write to an interface that is down is an error of that write', async (t) => {
  const { file } = await guest(t);
  const tap = new Tap({ netns: file });
  const failed = once(tap, 'error');
  await t.throwsAsync(write(tap, numbered(0)), { code: 'EIO' });
  const [error] = (await failed) as [NodeJS.ErrnoException];
  t.deepEqual([error.code, error.errno, error.syscall], ['EIO', -5, 'write']);
});

test('a device taken away under the stream ends it with an error', async (t) => {
  const { file, namespace } = await guest(t);
  const tap = new Tap({ netns: file, name: 'guest0' });
  tap.resume();
  await once(tap, 'ready');
  const failed = once(tap, 'error');
  await namespace.run('ip link del guest0');
  const [error] = (await failed) as [NodeJS.ErrnoException];
  t.regex(error.code ?? '', /^EBADFD?$/);
});

test('release closes the device once and calls back, also when it is closed already', async (t) => {
  const tap = new Tap();
  await Promise.all([released(tap), released(tap)]);
  await released(tap);
  t.false(await exists(tap.name));
});

test('a worker thread may end with its devices open', async (t) => {
  const { file, namespace } = await guest(t);
  const source = `
    const { parentPort, workerData } = require('node:worker_threads');
    import('tuntap2').then(({ Tap }) => {
      new Tap({ name: 'tt0', netns: workerData }).resume();
      parentPort.postMessage('open');
    });`;
  const worker = new Worker(source, { eval: true, workerData: file });
  await once(worker, 'message');
  t.is((await show(namespace, 'tt0')).ifname, 'tt0');
  t.is(await worker.terminate(), 1);
});
