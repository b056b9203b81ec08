import test from 'ava';
import fc from 'fast-check';

import { eth } from '../testing/packet-builder.js';
import { EmitSink } from './emit.js';
import type { EmitPort } from './emit-port.js';
import { parseEmitTarget } from './emit-target.js';
import { DIRECTION, Frame, type Origin } from './frame.js';

const SOURCE = '02:00:00:00:00:01';
const TARGET = '02:00:00:00:00:02';
const ipv4 = eth({ src: SOURCE, dst: TARGET })
  .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
  .udp(5, 6)
  .payload([1, 2, 3])
  .bytes();

/** A frame somewhere in a larger buffer, as inputs hand it over. */
function frameOf(bytes: Uint8Array, more: Partial<Frame> = {}): Frame {
  const frame = new Frame();
  frame.bytes = Uint8Array.of(0xa5, ...bytes, 0x5a);
  frame.at = 1;
  frame.length = bytes.length;
  frame.originalLength = bytes.length;
  return Object.assign(frame, more);
}

const originOf = (direction: Origin['direction'], index: number): Origin => {
  const { origin } = new Frame();
  return { ...origin, direction, interface: { ...origin.interface, index } };
};

/** A port that keeps what is sent, and answers when it is told to. */
class Kept implements EmitPort {
  readonly datagrams: Buffer[] = [];
  isClosed = false;
  #waiting: ((error: Error | null) => void)[] = [];

  send(datagram: Buffer, done: (error: Error | null) => void): void {
    this.datagrams.push(datagram);
    this.#waiting.push(done);
  }

  answer(error: Error | null = null): void {
    for (const done of this.#waiting.splice(0)) done(error);
  }

  close(): void {
    this.isClosed = true;
  }
}

function emitter(url: string) {
  const port = new Kept();
  const told: string[] = [];
  const sink = new EmitSink(parseEmitTarget(url), port, (text) => told.push(text));
  const sent = (frame: Frame): string | undefined => {
    sink.frame(frame);
    return port.datagrams.pop()?.toString('hex');
  };
  return { port, sink, sent, told };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('VXLAN carries the frame behind a header with the chosen network', (t) => {
  t.is(emitter('vxlan://a?vni=66051').sent(frameOf(ipv4)), `0800000001020300${hex(ipv4)}`);
});

test('jmirror carries the IP packet of a frame, tagged or not, and no other frames', (t) => {
  const { sent, sink } = emitter('jmirror://a?mirror=258&session=4278190081');
  const head = '00000102ff000001';
  t.is(sent(frameOf(ipv4)), head + hex(ipv4.subarray(14)));
  const tagged = eth({ src: SOURCE, dst: TARGET })
    .vlan(5)
    .ipv6({ src: '2001:db8::1', dst: '2001:db8::2' })
    .udp(5, 6)
    .payload([1])
    .bytes();
  t.is(sent(frameOf(tagged)), head + hex(tagged.subarray(18)));
  const arp = eth({ src: SOURCE, dst: 'ff:ff:ff:ff:ff:ff', type: 0x0806 }).payload(new Uint8Array(28)).bytes();
  t.is(sent(frameOf(arp)), undefined);
  t.is(sent(frameOf(ipv4.subarray(0, 13))), undefined);
  t.is(sink.counters.unfit, 2);
});

test('TZSP says the length of a frame that was cut', (t) => {
  const { sent } = emitter('tzsp://a');
  t.is(sent(frameOf(ipv4)), `0100000101${hex(ipv4)}`);
  t.is(sent(frameOf(ipv4, { originalLength: 0x1234 })), `010000012902123401${hex(ipv4)}`);
});

test('ERSPAN II counts its packets and names session, interface and the tag of the frame', (t) => {
  const { sent } = emitter('erspan://a?session=1023');
  const origin = originOf(DIRECTION.ingress, 0x12345);
  t.is(sent(frameOf(ipv4, { origin })), `100088be00000000100003ff00012345${hex(ipv4)}`);
  const tagged = eth({ src: SOURCE, dst: TARGET })
    .vlan(0x123, { pcp: 5 })
    .ipv4({ src: '4.4.4.3', dst: '4.4.4.4' })
    .bytes();
  // COS 101, tag kept 11, cut 1, session.
  t.is(sent(frameOf(tagged, { origin, originalLength: 2000 })), `100088be000000011123bfff00012345${hex(tagged)}`);
});

test('ERSPAN III says when a frame came and in which direction', (t) => {
  const { sent } = emitter('erspan://a?session=2&version=3');
  const time = { seconds: 429_496, nanoseconds: 729_650_000 };
  // 4294967296.5 times 100 us: the stamp has begun anew.
  t.is(
    sent(frameOf(ipv4, { ...time, origin: originOf(DIRECTION.ingress, 0) })),
    `100022eb00000000200000020000000000008000${hex(ipv4)}`,
  );
  t.is(
    sent(frameOf(ipv4, { ...time, origin: originOf(DIRECTION.egress, 0) })),
    `100022eb00000001200000020000000000008008${hex(ipv4)}`,
  );
});

test('whatever happens to them, all frames are counted once', (t) => {
  const action = fc.oneof(
    fc.record({
      frames: fc.integer({ min: 1, max: 700 }),
      length: fc.constantFrom(13, 60, 1500, 65_486, 65_488, 70_000),
    }),
    fc.constantFrom('sent', 'refused'),
  );
  const url = fc.constantFrom('vxlan://a', 'jmirror://a', 'tzsp://a', 'erspan://a', 'erspan://a?version=3');
  fc.assert(
    fc.property(url, fc.array(action, { maxLength: 12 }), (target, actions) => {
      const { port, sink, told } = emitter(target);
      let offered = 0;
      let waiting = 0;
      const model = { sent: 0, unfit: 0, lost: 0, failed: 0 };
      for (const one of actions) {
        if (one === 'sent' || one === 'refused') {
          model[one === 'sent' ? 'sent' : 'failed'] += waiting;
          waiting = 0;
          port.answer(one === 'sent' ? null : new Error('no way'));
          continue;
        }
        const bytes = new Uint8Array(one.length);
        if (one.length >= 14) bytes.set([0x08, 0x00], 12);
        const isUnfit = one.length > 65_487 || (one.length < 14 && target.startsWith('jmirror'));
        const frame = frameOf(bytes);
        for (let i = 0; i < one.frames; i++) sink.frame(frame);
        offered += one.frames;
        const taken = isUnfit ? 0 : Math.min(one.frames, 1024 - waiting);
        waiting += taken;
        // What does not fit is seen before or behind the question whether there is room.
        if (one.length > 65_487) model.unfit += one.frames;
        else if (isUnfit) {
          const room = waiting < 1024 ? one.frames : 0;
          model.unfit += room;
          model.lost += one.frames - room;
        } else model.lost += one.frames - taken;
      }
      t.deepEqual(sink.counters, model);
      t.is(model.sent + model.unfit + model.lost + model.failed + waiting, offered);
      t.deepEqual(told, model.failed > 0 ? [`${target}: no way`] : []);
    }),
    { numRuns: 60 },
  );
});

test('a sink that is closed sends what is under way, and closes its socket then', (t) => {
  const { port, sink } = emitter('vxlan://a');
  sink.frame(frameOf(ipv4));
  sink.close();
  t.false(port.isClosed);
  port.answer();
  t.true(port.isClosed);
  t.is(sink.summary, 'vxlan://a: 1 sent, 0 lost, 0 failed, 0 not to be carried');
});
