import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { FramePipe } from './frame-pipe.js';
import { PacketIo } from './packet-io.js';
import { closeFd } from './system.js';

test('frames pass between a port and the pipe in both directions, each whole', async (t) => {
  const taken: number[][] = [];
  const pipe = new FramePipe((frame) => taken.push([...frame]));
  const io = new PacketIo();
  io.attachTap(5, pipe.fd, { vnetHeader: false });
  const bytes = new Uint8Array(io.arena);

  t.true(pipe.write(Uint8Array.from({ length: 60 }, (_, i) => i)));
  t.true(pipe.write(Uint8Array.from({ length: 1500 }, () => 7)));
  const n = io.step(0, 1000);
  t.deepEqual([n, io.rx[0], io.rx[2], io.rx[6]], [2, 5, 60, 1500]);
  t.is(bytes[io.rx[1] + 59], 59);

  io.tx.set([5, io.rx[1], 60], 0);
  io.flush(1);
  for (let i = 0; taken.length === 0 && i < 100; i++) await sleep(10);
  t.deepEqual(taken, [Array.from({ length: 60 }, (_, i) => i)]);

  io.close();
  closeFd(pipe.fd);
  await sleep(50);
  t.false(pipe.write(new Uint8Array(60)), 'the port is gone');
  pipe.close();
});

test('a port that is not read loses what its buffer does not hold, and an ended pipe takes nothing', (t) => {
  const pipe = new FramePipe(() => undefined);
  let written = 0;
  while (written < 100_000 && pipe.write(new Uint8Array(1500))) written++;
  t.true(written > 0 && written < 100_000);
  pipe.close();
  pipe.close();
  t.false(pipe.write(new Uint8Array(60)));
  closeFd(pipe.fd);
});
