import test from 'ava';
import { native } from './native.js';
import { PacketIo, PORT, type PacketIoOptions } from './packet-io.js';
import { closeFd, createEventFd, wake } from './system.js';

// The far end of a port is the other end of a socket pair that keeps message boundaries: to the device it is a TAP. What is sent
// into it comes from a second device, whose arena the test writes.

const small: PacketIoOptions = {
  rxSlots: 8,
  rxQuota: 4,
  txQueue: 16,
  scratchBytes: 65_536,
  ringBudgetBytes: 0,
  maxPort: 16,
};
const RX_WORDS = 4;
const TX_WORDS = 6;

interface Wire {
  readonly io: PacketIo;
  readonly far: PacketIo;
  readonly fds: number[];
}

function wire(ports: number[], options: { near: boolean; far: boolean } = { near: true, far: true }): Wire {
  const io = new PacketIo(small);
  const far = new PacketIo(small);
  const fds: number[] = [];
  for (const port of ports) {
    const [a, b] = native.messagePair();
    io.attachTap(port, a, { vnetHeader: options.near });
    far.attachTap(port, b, { vnetHeader: options.far });
    fds.push(a, b);
  }
  return { io, far, fds };
}

function done({ io, far, fds }: Wire): void {
  io.close();
  far.close();
  fds.forEach(closeFd);
}

/** Describes a frame in the scratch area, `vnet` in front of it, as tx descriptor `index`. */
function put(
  io: PacketIo,
  index: number,
  port: number,
  frame: readonly number[],
  vnet = new Array<number>(10).fill(0),
): void {
  const at = io.scratchAt + 14 + index * 2048;
  new Uint8Array(io.arena).set([...vnet, ...frame], at - 10);
  io.tx.set([port, at, frame.length, -1, 1, frame.length], index * TX_WORDS);
}

const statuses = (io: PacketIo, n: number): number[] => Array.from({ length: n }, (_, i) => io.tx[i * TX_WORDS + 3]);

/** Received frames as [port, virtio-net header, frame]. */
function frames(io: PacketIo, n: number): [number, number[], number[]][] {
  return Array.from({ length: n }, (_, i) => {
    const [port, at, length] = io.rx.subarray(i * RX_WORDS);
    return [port, [...new Uint8Array(io.arena, at - 10, 10)], [...new Uint8Array(io.arena, at, length)]];
  });
}

const frame = (fill: number, length = 60): number[] => new Array<number>(length).fill(fill);
const zeroes = new Array<number>(10).fill(0);
const vnet = [1, 0, 0, 0, 0, 0, 34, 0, 6, 0];

test('the clock tells when the last step returned', (t) => {
  const pair = wire([]);
  const before = performance.now();
  pair.io.step(0, 0);
  const first = pair.io.clock[0];
  pair.io.step(0, 20);
  const waited = pair.io.clock[0] - first;
  t.true(waited >= 19 && waited <= performance.now() - before + 1, `${waited} ms`);
  done(pair);
});

test('a frame and its virtio-net header cross from one device to another', (t) => {
  const w = wire([3]);
  put(w.far, 0, 3, frame(7), vnet);
  w.far.flush(1);
  t.deepEqual(statuses(w.far, 1), [0]);
  t.is(w.far.ctl[1], 0);
  t.is(w.io.step(0, 100), 1);
  t.deepEqual(frames(w.io, 1), [[3, vnet, frame(7)]]);
  t.is(w.io.rx[1] % 4, 2);
  done(w);
});

test('a port without virtio-net headers shows a header of zeroes, and sends the frame alone', (t) => {
  const w = wire([0], { near: false, far: false });
  put(w.far, 0, 0, frame(1), vnet);
  w.far.flush(1);
  new Uint8Array(w.io.arena).fill(0xa5, 4096);
  t.is(w.io.step(0, 100), 1);
  t.deepEqual(frames(w.io, 1), [[0, zeroes, frame(1)]]);
  done(w);
});

test('a port gives at most its quota before others get their turn, and what is left of the step when it is alone', (t) => {
  const w = wire([1, 2]);
  for (let i = 0; i < 10; i++) put(w.far, i, 1, frame(i));
  put(w.far, 10, 2, frame(99));
  w.far.flush(11);
  const ports = (n: number): number[] => Array.from({ length: n }, (_, i) => w.io.rx[i * RX_WORDS]);
  t.is(w.io.step(0, 100), 8);
  t.deepEqual(ports(5).sort(), [1, 1, 1, 1, 2]);
  t.deepEqual(ports(8).slice(5), [1, 1, 1]);
  t.is(w.io.step(0, 100), 3);
  t.deepEqual(frames(w.io, 3), [
    [1, zeroes, frame(7)],
    [1, zeroes, frame(8)],
    [1, zeroes, frame(9)],
  ]);
  t.is(w.io.step(0, 0), 0);
  done(w);
});

test('a port that always has frames does not starve an idle one', (t) => {
  const w = wire([1, 2]);
  const fill = (): void => {
    for (let i = 0; i < 8; i++) put(w.far, i, 1, frame(i));
    w.far.flush(8);
  };
  fill();
  w.io.step(0, 100);
  put(w.far, 0, 2, frame(9));
  w.far.flush(1);
  let seen = false;
  for (let i = 0; i < 5 && !seen; i++) {
    fill();
    const n = w.io.step(0, 0);
    seen = frames(w.io, n).some(([port]) => port === 2);
  }
  t.true(seen);
  done(w);
});

test('sockets are read and written in batches, and without a ring when there is no room for one', (t) => {
  const w = wire([]);
  const [a, b] = native.messagePair();
  t.false(w.io.attachPacketSocket(1, a, { vnetHeader: true }));
  t.false(w.far.attachPacketSocket(1, b, { vnetHeader: true }));
  for (let i = 0; i < 6; i++) put(w.far, i, 1, frame(i, 60 + i), vnet);
  put(w.far, 3, 7, frame(3));
  w.far.flush(6);
  t.deepEqual(statuses(w.far, 6), [0, 0, 0, 6, 0, 0]);
  t.is(w.io.step(0, 100), 5);
  t.deepEqual(
    frames(w.io, 5),
    [0, 1, 2, 4, 5].map((i) => [1, vnet, frame(i, 60 + i)]),
  );
  done({ ...w, fds: [a, b] });
});

test('a frame longer than a slot is counted and not delivered', (t) => {
  const w = wire([]);
  const [a, b] = native.messagePair();
  const short = new PacketIo({ ...small, slotBytes: 2048 });
  short.attachPacketSocket(1, a, { vnetHeader: true });
  w.far.attachPacketSocket(1, b, { vnetHeader: true });
  put(w.far, 0, 1, frame(1, 1900));
  put(w.far, 1, 1, frame(2));
  w.far.flush(2);
  t.is(short.step(0, 100), 1);
  t.deepEqual(frames(short, 1), [[1, zeroes, frame(2)]]);
  t.is(short.portCounters[PORT.words + PORT.rxErrors], 1);
  t.is(short.portCounters[PORT.words + PORT.lastErrno], 90); // EMSGSIZE
  short.close();
  done({ ...w, fds: [a, b] });
});

test('descriptors that make no sense get a status, the others are sent', (t) => {
  const w = wire([5]);
  put(w.far, 0, 5, frame(1));
  put(w.far, 1, 99, frame(2));
  put(w.far, 2, 6, frame(3));
  put(w.far, 3, 5, frame(4));
  w.far.tx[3 * TX_WORDS + 1] = w.far.arena.byteLength - 10;
  put(w.far, 4, 5, frame(5));
  w.far.tx[4 * TX_WORDS + 1] = 4;
  put(w.far, 5, 5, frame(6));
  w.far.tx[5 * TX_WORDS + 2] = -1;
  put(w.far, 6, 5, frame(7));
  w.far.flush(7);
  const { EINVAL, ENXIO } = { EINVAL: 22, ENXIO: 6 };
  t.deepEqual(statuses(w.far, 7), [0, EINVAL, ENXIO, EINVAL, EINVAL, EINVAL, 0]);
  t.is(w.far.ctl[1], 5);
  t.is(w.io.step(0, 100), 2);
  done(w);
});

test('more queued than the queue holds is cut, not read beyond it', (t) => {
  const w = wire([0]);
  t.notThrows(() => {
    w.io.flush(4_000_000_000);
  });
  t.is(w.io.ctl[1], 16);
  done(w);
});

test('a full queue is a status, never a wait', (t) => {
  const w = wire([0]);
  const EAGAIN = 11;
  let full = false;
  for (let round = 0; round < 1000 && !full; round++) {
    for (let i = 0; i < 16; i++) put(w.far, i, 0, frame(i, 1500));
    w.far.flush(16);
    full = statuses(w.far, 16).includes(EAGAIN);
  }
  t.true(full);
  done(w);
});

test('a wake-up from elsewhere ends a waiting step and is told once', (t) => {
  const io = new PacketIo(small);
  wake(io.wakeFd);
  wake(io.wakeFd);
  t.is(io.step(0, 10_000), 0);
  t.is(io.ctl[0], 1);
  t.is(io.step(0, 0), 0);
  t.is(io.ctl[0], 0);
  io.close();
});

test('an eventfd of the caller wakes one device after another and stays open', (t) => {
  const wakeFd = createEventFd();
  for (let round = 0; round < 2; round++) {
    const io = new PacketIo({ ...small, wakeFd });
    t.is(io.wakeFd, wakeFd);
    wake(wakeFd);
    t.is(io.step(0, 10_000), 0);
    t.is(io.ctl[0], 1);
    io.close();
  }
  wake(wakeFd);
  closeFd(wakeFd);
  t.throws(() => new PacketIo({ ...small, wakeFd: 1_000_000 }), { code: 'EBADF' });
});

test('a port whose far end is gone is not read any more, and says so', (t) => {
  const w = wire([4]);
  w.far.detach(4);
  const [near, far] = w.fds;
  closeFd(far);
  t.is(w.io.step(0, 100), 0);
  const counter = (word: number): number => w.io.portCounters[4 * PORT.words + word];
  t.is(counter(PORT.gone), 1);
  t.is(counter(PORT.rxErrors), 1);
  // Nothing is left to wait for: the next step waits its time out instead of spinning.
  const before = process.hrtime.bigint();
  t.is(w.io.step(0, 30), 0);
  t.true(process.hrtime.bigint() - before > 25_000_000n);
  w.io.detach(4);
  closeFd(near);
  w.io.close();
  w.far.close();
});

test('a detached port is not read, and its number can be used again', (t) => {
  const w = wire([0]);
  put(w.far, 0, 0, frame(1));
  w.far.flush(1);
  w.io.detach(0);
  t.is(w.io.step(0, 0), 0);
  t.notThrows(() => {
    w.io.attachTap(0, w.fds[0], { vnetHeader: true });
  });
  t.is(w.io.step(0, 100), 1);
  w.io.detach(7);
  t.throws(
    () => {
      w.io.attachTap(0, w.fds[0], { vnetHeader: true });
    },
    { code: 'EEXIST' },
  );
  done(w);
});

test('sizes and ports out of range are refused', (t) => {
  for (const bad of [
    { rxSlots: 0 },
    { rxSlots: 2000 },
    { slotBytes: 100 },
    { slotBytes: 2049 },
    { txQueue: 0 },
    { rxQuota: 0 },
    { maxPort: 0 },
    { scratchBytes: 2 ** 31 },
    { ringBudgetBytes: 2 ** 31 },
  ]) {
    t.throws(() => new PacketIo({ ...small, ...bad }), { code: 'EINVAL' }, JSON.stringify(bad));
  }
  for (const bad of [{ rxSlots: 1.5 }, { rxSlots: -1 }, { txQueue: Number.NaN }, { scratchBytes: 2 ** 40 }]) {
    t.throws(() => new PacketIo({ ...small, ...bad }), { code: 'ERR_INVALID_ARG_TYPE' }, JSON.stringify(bad));
  }
  const io = new PacketIo(small);
  const attach = (port: number, fd: number) => () => {
    io.attachTap(port, fd, { vnetHeader: true });
  };
  t.throws(attach(16, 0), { code: 'EINVAL' });
  t.throws(attach(0, 1_000_000), { code: 'EBADF' });
  t.throws(attach(0, -1), { code: 'ERR_INVALID_ARG_TYPE' });
  io.close();
});

test('after close nothing is sent or read, and the memory is still there', (t) => {
  const io = new PacketIo(small);
  io.close();
  io.close();
  t.throws(() => io.step(0, 0), { code: 'EBADF' });
  t.throws(
    () => {
      io.flush(0);
    },
    { code: 'EBADF' },
  );
  new Uint8Array(io.arena).fill(1);
  t.is(io.ctl[0], 0x01010101);
});

test('a watch ends once, and handles of devices and watches are told apart', (t) => {
  const fd = createEventFd();
  const watch = native.watchReadable(fd, () => undefined);
  const device = native.create(1, 2048, 4096, 1, 1, 0, 1);
  const mixedUp: readonly (() => void)[] = [
    () => native.step(watch as never, 0, 0),
    () => {
      native.flush(watch as never, 0);
    },
    () => {
      native.close(watch as never);
    },
    () => {
      native.unwatch(device as never);
    },
  ];
  for (const call of mixedUp) t.throws(call, { instanceOf: TypeError });
  native.unwatch(watch);
  native.unwatch(watch);
  native.close(device);
  closeFd(fd);
});
