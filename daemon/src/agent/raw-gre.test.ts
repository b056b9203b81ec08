import { EventEmitter } from 'node:events';
import test from 'ava';
import { eth } from '../testing/packet-builder.js';
import { RawGre } from './raw-gre.js';

const US = '192.0.2.1';
const PEER = '192.0.2.2';
const MAC = '02:00:00:00:00:0a';

/** A socket that keeps what it is to send, and sends it when told. */
class FakeSocket extends EventEmitter {
  readonly sent: { readonly packet: Buffer; readonly to: string; readonly done: (error: Error | null) => void }[] = [];
  isOpen = true;

  send(packet: Buffer, offset: number, length: number, to: string, _: null, done: (error: Error | null) => void): void {
    this.sent.push({ packet: Buffer.from(packet.subarray(offset, offset + length)), to, done });
  }

  close(): void {
    this.isOpen = false;
  }
}

function setUp() {
  const socket = new FakeSocket();
  const received: Uint8Array[] = [];
  const warnings: object[] = [];
  const gre = new RawGre({
    address: US,
    mac: MAC,
    socket: socket,
    receive: (frame) => received.push(Uint8Array.from(frame)) > 0,
    log: { warn: (about) => warnings.push(about) },
  });
  return { socket, gre, received, warnings };
}

const tunnel = (src: string, dst: string) =>
  eth({ src: '02:00:00:00:00:fe', dst: MAC })
    .ipv4({ src, dst, protocol: 47 })
    .gre({ type: 0x8847 })
    .mpls(20)
    .payload([1, 2, 3, 4]);

test('what arrives for us gets an Ethernet header, and what is for another address of the host is not ours', (t) => {
  const { socket, received } = setUp();
  const frame = tunnel(PEER, US).bytes();
  socket.emit('message', Buffer.from(frame.subarray(14)), PEER);
  socket.emit('message', Buffer.from(tunnel(PEER, '192.0.2.9').bytes().subarray(14)), PEER);
  socket.emit('message', Buffer.alloc(7), PEER);
  t.deepEqual(received, [Uint8Array.from(frame)]);
});

test('what is sent loses its Ethernet header and goes where its IP header says', (t) => {
  const { socket, gre } = setUp();
  const frame = Uint8Array.from(tunnel(US, PEER).bytes());
  gre.send(frame);
  const wanted = Buffer.from(frame.subarray(14));
  // The memory is the datapath's, which goes on.
  frame.fill(0xa5);
  gre.send(eth({ src: MAC, dst: MAC }).ipv4({ src: US, dst: PEER }).udp(1, 6635).bytes());
  gre.send(new Uint8Array(20));
  t.deepEqual(
    socket.sent.map(({ packet, to }) => [packet, to]),
    [[wanted, PEER]],
  );
});

test('a socket that does not keep up makes packets wait, but no more than it may', (t) => {
  const { socket, gre } = setUp();
  const frame = tunnel(US, PEER).bytes();
  for (let n = 0; n < 1500; n++) gre.send(frame);
  t.is(socket.sent.length, 1000);
  for (const { done } of socket.sent.splice(0)) done(null);
  gre.send(frame);
  t.is(socket.sent.length, 1);
});

test('a refusal is told once, and nothing after the end', (t) => {
  const { socket, gre, warnings } = setUp();
  const frame = tunnel(US, PEER).bytes();
  for (let n = 0; n < 3; n++) gre.send(frame);
  for (const { done } of socket.sent) done(new Error('Message too long'));
  t.deepEqual(warnings, [{ reason: 'Message too long' }]);
  gre.close();
  gre.close();
  gre.send(frame);
  socket.emit('error', new Error('closed'));
  t.is(socket.sent.length, 3);
  t.is(warnings.length, 1);
  t.false(socket.isOpen);
});
