import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'ava';
import { DATAGRAM, DatagramBatch, DatagramSocket } from './datagram-socket.js';

/** Sends datagrams to a port of a loopback address; returns the port they came from. */
async function send(address: string, port: number, payloads: readonly string[]): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(0, address);
  await once(socket, 'listening');
  for (const payload of payloads) {
    await new Promise<void>((resolve, reject) => {
      socket.send(payload, port, address, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
  const from = socket.address().port;
  socket.close();
  return from;
}

/** A port nobody has just now. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

for (const [address, family, bytes] of [
  ['127.0.0.1', 4, [127, 0, 0, 1]],
  ['::1', 6, [...new Array<number>(15).fill(0), 1]],
] as const) {
  test(`datagrams to ${address} come in batches with their ends and the time they were received`, async (t) => {
    const port = await freePort();
    const socket = DatagramSocket.bindUdp(address, port, 1 << 16);
    const batch = new DatagramBatch(4, 1024);
    t.is(socket.receive(batch), 0);
    const readable = new Promise<void>((resolve) => {
      socket.onReadable(resolve);
    });
    const before = Date.now() / 1000 - 1;
    const from = await send(address, port, ['one', '', 'x'.repeat(2000), 'four', 'five']);
    await readable;
    t.is(socket.receive(batch), 4);
    const { records, bytes: memory } = batch;
    const text = (i: number): string => {
      const at = records[i * DATAGRAM.words + DATAGRAM.at];
      return Buffer.from(memory.subarray(at, at + records[i * DATAGRAM.words + DATAGRAM.length])).toString();
    };
    t.deepEqual([text(0), text(1), text(3)], ['one', '', 'four']);
    t.is(text(2), 'x'.repeat(1024 - 128));
    t.is(records[2 * DATAGRAM.words + DATAGRAM.wholeLength], 2000);
    const address16 = (word: number): number[] => [...memory.subarray(word * 4, word * 4 + bytes.length)];
    t.deepEqual(address16(DATAGRAM.source), [...bytes]);
    t.deepEqual(address16(DATAGRAM.destination), [...bytes]);
    t.like(records, { [DATAGRAM.family]: family, [DATAGRAM.sourcePort]: from });
    const seconds = records[DATAGRAM.seconds] + records[DATAGRAM.nanoseconds] / 1e9;
    t.true(seconds >= before && seconds <= Date.now() / 1000 + 1);
    t.is(socket.receive(batch), 1);
    t.is(text(0), 'five');
    socket.close();
  });
}

test('what the kernel drops for want of room is counted exactly', async (t) => {
  const port = await freePort();
  const socket = DatagramSocket.bindUdp('127.0.0.1', port, 4096);
  await send('127.0.0.1', port, new Array<string>(200).fill('x'.repeat(500)));
  const batch = new DatagramBatch(64, 1024);
  let received = 0;
  for (let got = socket.receive(batch); got > 0; got = socket.receive(batch)) received += got;
  t.true(received > 0 && received < 200);
  t.is(socket.kernelDrops(), 200 - received);
  t.true(socket.receiveBuffer >= 4096);
  socket.close();
  socket.close();
  t.is(socket.kernelDrops(), 200 - received);
});

test('a port that is taken, an address that is none and memory that is too small are refused', async (t) => {
  const port = await freePort();
  const socket = DatagramSocket.bindUdp('127.0.0.1', port);
  t.throws(() => DatagramSocket.bindUdp('127.0.0.1', port), { code: 'EADDRINUSE' });
  t.throws(() => DatagramSocket.bindUdp('localhost', port), { code: 'EINVAL' });
  t.throws(() => DatagramSocket.bindUdp('127.0.0.1', 65_536), { code: 'EINVAL' });
  t.throws(() => socket.receive(Object.assign(new DatagramBatch(2, 256), { slots: 3 })), { code: 'EINVAL' });
  t.throws(() => socket.receive(new DatagramBatch(2, 128)), { code: 'EINVAL' });
  socket.close();
});
