import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { FLOW, FlowTable, newFlowKey, TCP_FLAG } from '../tables/flow.js';
import { ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { trackTcp } from './tcp-track.js';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

interface Segment {
  readonly flags: number;
  readonly seq: number;
  readonly ack?: number;
  readonly length?: number;
}

/** Letters in the order operators read them. */
const LETTERS = [
  ['S', TCP_FLAG.syn],
  ['Sr', TCP_FLAG.synReverse],
  ['E', TCP_FLAG.established],
  ['Er', TCP_FLAG.establishedReverse],
  ['F', TCP_FLAG.fin],
  ['Fr', TCP_FLAG.finReverse],
  ['R', TCP_FLAG.reset],
  ['C', TCP_FLAG.halfClose],
  ['D', TCP_FLAG.dead],
] as const;

/** A header without options at offset 3, among bytes that are not its own. */
function header({ flags, seq, ack = 0 }: Segment): Uint8Array {
  const b = new Uint8Array(40).fill(0xa5);
  const view = new DataView(b.buffer);
  view.setUint32(3 + 4, seq >>> 0);
  view.setUint32(3 + 8, ack >>> 0);
  b[3 + 13] = flags;
  return b;
}

class Session {
  readonly flows = FlowTable.inMemory({ entries: 8, overflow: 0 });
  readonly client = this.#insert(40000, 22);
  readonly server = this.#insert(22, 40000);

  #insert(source: number, destination: number): number {
    const key = newFlowKey();
    key.set([(4 << 8) | 6, (source << 16) | destination, 20, 1, 0, 0, 0, 2]);
    return this.flows.insert(key);
  }

  sends(from: 'client' | 'server', segment: Segment, { any = false, alone = false } = {}): boolean {
    const [x, y] = from === 'client' ? [this.client, this.server] : [this.server, this.client];
    return trackTcp(this.flows, x, alone ? -1 : y, header(segment), 3, segment.length ?? 0, any);
  }

  letters(of: 'client' | 'server'): string {
    const flags = this.flows.words[this.flows.at(this[of]) + FLOW.tcp];
    return LETTERS.map(([letter, bit]) => ((flags & bit) !== 0 ? letter : '')).join('');
  }

  /** Handshake: sequence numbers 1000 and 9000. */
  established(): this {
    this.sends('client', { flags: SYN, seq: 1000 });
    this.sends('server', { flags: SYN | ACK, seq: 9000, ack: 1001 });
    this.sends('client', { flags: ACK, seq: 1001, ack: 9001 });
    return this;
  }
}

const both = (t: ExecutionContext, session: Session, letters: string): void => {
  t.is(session.letters('client'), letters);
  t.is(session.letters('server'), letters);
};

test('a handshake is followed step by step', (t) => {
  const session = new Session();
  t.false(session.sends('client', { flags: SYN, seq: 1000 }));
  t.deepEqual([session.letters('client'), session.letters('server')], ['S', 'Sr']);
  t.false(session.sends('server', { flags: SYN | ACK, seq: 9000, ack: 1001 }));
  t.deepEqual([session.letters('client'), session.letters('server')], ['SSrE', 'SSrEr']);
  t.false(session.sends('client', { flags: ACK, seq: 1001, ack: 9001 }));
  both(t, session, 'SSrEEr');
});

test('a session whose both ends closed and were acknowledged is over, not before', (t) => {
  const session = new Session().established();
  session.sends('client', { flags: PSH | ACK, seq: 1001, ack: 9001, length: 100 });
  t.false(session.sends('client', { flags: FIN | ACK, seq: 1101, ack: 9001, length: 50 }));
  t.deepEqual([session.letters('client'), session.letters('server')], ['SSrEErF', 'SSrEErFr']);
  t.false(session.sends('server', { flags: ACK, seq: 9001, ack: 1151 }), 'the data, not the FIN');
  t.false(session.sends('server', { flags: ACK, seq: 9001, ack: 1152 }));
  t.is(session.letters('client'), 'SSrEErFC');
  t.false(session.sends('server', { flags: FIN | ACK, seq: 9001, ack: 1152 }));
  t.true(session.sends('client', { flags: ACK, seq: 1152, ack: 9002 }));
  both(t, session, 'SSrEErFFrCD');
});

test('a close in three segments is a close as well', (t) => {
  const session = new Session().established();
  session.sends('client', { flags: FIN | ACK, seq: 1001, ack: 9001 });
  session.sends('server', { flags: FIN | ACK, seq: 9001, ack: 1002 });
  t.true(session.sends('client', { flags: ACK, seq: 1002, ack: 9002 }));
  both(t, session, 'SSrEErFFrCD');
});

test('both ends may close at once', (t) => {
  const session = new Session().established();
  session.sends('client', { flags: FIN | ACK, seq: 1001, ack: 9001 });
  session.sends('server', { flags: FIN | ACK, seq: 9001, ack: 1001 });
  t.false(session.sends('client', { flags: ACK, seq: 1002, ack: 9002 }));
  t.true(session.sends('server', { flags: ACK, seq: 9002, ack: 1002 }));
  both(t, session, 'SSrEErFFrCD');
});

test('a reset with the number acknowledged last ends the session', (t) => {
  const session = new Session().established();
  session.sends('client', { flags: PSH | ACK, seq: 1001, ack: 9001, length: 10 });
  session.sends('server', { flags: ACK, seq: 9001, ack: 1011 });
  t.true(session.sends('client', { flags: RST, seq: 1011 }));
  both(t, session, 'SSrEErRD');
});

test('a reset with another number is ignored, its acknowledgement too', (t) => {
  const session = new Session().established();
  t.false(session.sends('client', { flags: RST, seq: 1002 }));
  t.false(session.sends('server', { flags: RST | ACK, seq: 9002, ack: 77 }));
  t.false(session.sends('client', { flags: RST, seq: 77 }));
  both(t, session, 'SSrEEr');
});

test('any reset ends the session where that is wished, or where there is no reverse entry', (t) => {
  t.true(new Session().established().sends('client', { flags: RST, seq: 5 }, { any: true }));
  t.true(new Session().sends('client', { flags: RST, seq: 5 }, { alone: true }));
});

test('a port where nobody listens ends the session that asked for it', (t) => {
  const session = new Session();
  session.sends('client', { flags: SYN, seq: 0xffffffff });
  t.false(session.sends('server', { flags: RST | ACK, seq: 0, ack: 1 }));
  t.true(session.sends('server', { flags: RST | ACK, seq: 0, ack: 0 }));
  t.deepEqual([session.letters('client'), session.letters('server')], ['SRD', 'SrRD']);
});

test('a session seen from its midst has no letters until it closes', (t) => {
  const session = new Session();
  session.sends('client', { flags: PSH | ACK, seq: 500, ack: 700, length: 10 });
  session.sends('server', { flags: ACK, seq: 700, ack: 510 });
  both(t, session, '');
  session.sends('client', { flags: FIN | ACK, seq: 510, ack: 700 });
  session.sends('server', { flags: FIN | ACK, seq: 700, ack: 511 });
  t.true(session.sends('client', { flags: ACK, seq: 511, ack: 701 }));
  both(t, session, 'FFrCD');
});

test('a FIN at the end of a super-frame counts all of its payload, across the wrap', (t) => {
  const session = new Session();
  session.sends('client', { flags: FIN | ACK, seq: 0xfffffff0, ack: 1, length: 60_000 });
  session.sends('server', { flags: FIN | ACK, seq: 1, ack: 60_000 - 16 });
  t.is(session.letters('client'), 'FFr');
  session.sends('server', { flags: ACK, seq: 2, ack: 60_000 - 16 + 1 });
  t.is(session.letters('client'), 'FFrC');
});

test('a SYN with the ports of a session that was closing begins another', (t) => {
  const session = new Session().established();
  session.sends('client', { flags: FIN | ACK, seq: 1001, ack: 9001 });
  session.sends('server', { flags: FIN | ACK, seq: 9001, ack: 1002 });
  session.sends('client', { flags: SYN, seq: 50_000 });
  t.deepEqual([session.letters('client'), session.letters('server')], ['S', 'Sr']);
  t.false(session.sends('server', { flags: SYN | ACK, seq: 60_000, ack: 50_001 }));
  t.false(session.sends('client', { flags: ACK, seq: 50_001, ack: 60_001 }));
  both(t, session, 'SSrEEr');
});

test('the generation of an entry is not touched', (t) => {
  const session = new Session().established();
  session.sends('client', { flags: FIN | ACK, seq: 1001, ack: 9001 });
  session.sends('client', { flags: SYN, seq: 1 });
  t.is(session.flows.generation(session.client), 1);
  t.is(session.flows.generation(session.server), 1);
});

test('a host may be told to believe every reset', (t) => {
  const segment = (flags: number, seq: number): Uint8Array =>
    eth({ src: macOf(3), dst: macOf(4) })
      .ipv4({ src: ipOf(3), dst: ipOf(4) })
      .tcp(1, 2, { flags, seq })
      .bytes();
  for (const closeOnAnyReset of [false, true]) {
    const net = new TestNetwork({ closeOnAnyReset });
    net.receive(3, segment(SYN, 1));
    t.is(net.receive(3, segment(RST, 77)).length, 1);
    net.receive(3, segment(ACK, 78));
    t.is(net.drops('flowEvict'), closeOnAnyReset ? 1 : 0);
  }
});

/** The same, as the table of effects says it: sets of letters and numbers without bits. */
class Model {
  letters = new Set<string>();
  seq = 0;
  /** -1: nothing was acknowledged. */
  ack = -1;
}
const WRAP = 2 ** 32;
const wrap = (n: number): number => ((n % WRAP) + WRAP) % WRAP;

function model(x: Model, y: Model, { flags, seq, ack = 0, length = 0 }: Segment): boolean {
  const has = (bit: number): boolean => (flags & bit) !== 0;
  const coversNext = has(ACK) && wrap(ack) === wrap(y.seq + 1);
  if (has(RST)) {
    if ((x.letters.has('Sr') && coversNext) || wrap(seq) === y.ack)
      for (const end of [x, y]) end.letters.add('R').add('D');
    return x.letters.has('D');
  }
  if (has(SYN)) {
    const wasClosing = x.letters.has('F') || x.letters.has('Fr');
    if (wasClosing && !has(ACK)) {
      for (const end of [x, y]) {
        end.letters.clear();
        end.ack = -1;
      }
    }
    x.letters.add('S');
    y.letters.add('Sr');
    x.seq = wrap(seq);
  }
  if (has(ACK)) {
    const covers = has(SYN) ? coversNext : wrap(ack) !== y.seq;
    if (x.letters.has('Sr') && !x.letters.has('Er') && covers) {
      y.letters.add('E');
      x.letters.add('Er');
    }
    if (x.letters.has('Fr') && coversNext) y.letters.add('C');
    if (x.letters.has('Fr') && coversNext && x.letters.has('C')) for (const end of [x, y]) end.letters.add('D');
    x.ack = wrap(ack);
  }
  if (has(FIN)) {
    x.letters.add('F');
    y.letters.add('Fr');
    x.seq = wrap(seq + length);
  }
  return x.letters.has('D');
}

test('whatever two ends send, the letters are those of the table of effects', (t) => {
  // Few numbers, around the wrap, so that they meet.
  const numbers = fc.integer({ min: -4, max: 4 }).map(wrap);
  const segments = fc.array(
    fc.record({
      from: fc.constantFrom('client' as const, 'server' as const),
      flags: fc.oneof(fc.constantFrom(SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK), fc.nat(255)),
      seq: numbers,
      ack: numbers,
      length: fc.nat(3),
    }),
    { maxLength: 20 },
  );
  const seen = new Set<string>();
  fc.assert(
    fc.property(segments, (all) => {
      const session = new Session();
      const [client, server] = [new Model(), new Model()];
      for (const { from, ...segment } of all) {
        const over = from === 'client' ? model(client, server, segment) : model(server, client, segment);
        t.is(session.sends(from, segment), over);
        for (const [of, end] of [
          ['client', client],
          ['server', server],
        ] as const) {
          const expected = LETTERS.map(([letter]) => letter).filter((letter) => end.letters.has(letter));
          t.is(session.letters(of), expected.join(''));
          seen.add(expected.join(''));
        }
      }
    }),
    { numRuns: 3000 },
  );
  t.true(seen.size > 30, `the segments lead to ${seen.size} states`);
});
