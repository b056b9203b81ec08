import test from 'ava';
import { setTimeout as pause } from 'node:timers/promises';
import { hex } from '../testing/hex.js';
import * as icmp from '../wire/icmp.js';
import { type EchoEvent, EchoQueue, echoRequest, readEcho } from './echoes.js';

const OUTER = '4500 0054 0000 0000 40 01 0000 c0a80002 c0a80001';
const QUOTED = '4500 0054 0000 0000 01 01 0000 c0a80001 c0a80002';
const QUOTED6 = '60000000 0040 3a 01 fd000000000000000000000000000001 fd000000000000000000000000000002';

test('an IPv4 echo request is complete', (t) => {
  const b = echoRequest(4, 0x1234, 7);
  t.is(b.length, 64);
  t.deepEqual([...b.subarray(0, 2)], [8, 0]);
  t.deepEqual([...b.subarray(4, 8)], [0x12, 0x34, 0, 7]);
  t.true(icmp.checksumOk(b, 0, b.length));
});

test('an IPv6 echo request leaves its checksum to the system', (t) => {
  const b = echoRequest(6, 0x1234, 7);
  t.deepEqual([...b.subarray(0, 8)], [128, 0, 0, 0, 0x12, 0x34, 0, 7]);
});

test('a reply to our echo is told with its TTL, that of somebody else is not', (t) => {
  const reply = hex(`${OUTER} 00 00 0000 1234 0007 ${'00'.repeat(56)}`);
  const event = { kind: 'reply', from: '192.168.0.2', sequence: 7, code: 0, bytes: 64, ttl: 64 };
  t.deepEqual(readEcho(4, 0x1234, reply, '192.168.0.2'), event as ReturnType<typeof readEcho>);
  t.is(readEcho(4, 0x1235, reply, '192.168.0.2'), null);
  const reply6 = hex('81 00 0000 1234 0007');
  t.like(readEcho(6, 0x1234, reply6, 'fd00::2'), { kind: 'reply', sequence: 7, ttl: null });
  t.is(readEcho(6, 0x1235, reply6, 'fd00::2'), null);
});

test('our own requests and others of ICMP are nothing', (t) => {
  for (const type of ['08', '0d', '05'])
    t.is(readEcho(4, 0x1234, hex(`${OUTER} ${type} 00 0000 1234 0007`), 'x'), null);
  for (const type of ['80', '87']) t.is(readEcho(6, 0x1234, hex(`${type} 00 0000 1234 0007`), 'x'), null);
});

test('errors are told by the echo they quote', (t) => {
  const kinds: readonly (readonly [string, EchoEvent['kind']])[] = [
    ['0b 00', 'exceeded'],
    ['03 01', 'unreachable'],
    ['03 04', 'tooBig'],
  ];
  for (const [type, kind] of kinds) {
    const b = hex(`${OUTER} ${type} 0000 00000000 ${QUOTED} 08 00 0000 1234 0007`);
    t.like(readEcho(4, 0x1234, b, '192.168.0.9'), { kind, from: '192.168.0.9', sequence: 7 });
    t.is(readEcho(4, 0x9999, b, '192.168.0.9'), null);
  }
  const kinds6: readonly (readonly [string, EchoEvent['kind']])[] = [
    ['03 00', 'exceeded'],
    ['01 00', 'unreachable'],
    ['02 00', 'tooBig'],
  ];
  for (const [type, kind] of kinds6) {
    const b = hex(`${type} 0000 00000000 ${QUOTED6} 80 00 0000 1234 0007`);
    t.like(readEcho(6, 0x1234, b, 'fd00::9'), { kind, sequence: 7 });
  }
});

test('a message that is cut anywhere is nothing, and no error', (t) => {
  const whole = hex(`${OUTER} 0b 00 0000 00000000 ${QUOTED} 08 00 0000 1234 0007`);
  for (let i = 0; i < whole.length; i++) t.is(readEcho(4, 0x1234, whole.subarray(0, i), 'x'), null);
  const whole6 = hex(`03 00 0000 00000000 ${QUOTED6} 80 00 0000 1234 0007`);
  for (let i = 0; i < whole6.length; i++) t.is(readEcho(6, 0x1234, whole6.subarray(0, i), 'x'), null);
});

test('events wait in order, and who waits for one is woken by it, by time and by Ctrl-C', async (t) => {
  const queue = new EchoQueue();
  const never = new AbortController().signal;
  const event = { kind: 'reply', from: 'x', sequence: 1, code: 0, bytes: 64, ttl: 64 } as const;
  queue.put(event);
  queue.put({ ...event, sequence: 2 });
  t.is((await queue.next(1000, never))?.sequence, 1);
  t.is((await queue.next(1000, never))?.sequence, 2);
  t.is(await queue.next(1, never), null);
  const waiting = queue.next(10_000, never);
  await pause(1);
  queue.put(event);
  t.is((await waiting)?.sequence, 1);
  const end = new AbortController();
  const ended = queue.next(10_000, end.signal);
  end.abort();
  t.is(await ended, null);
  t.is(await queue.next(10_000, end.signal), null);
});
