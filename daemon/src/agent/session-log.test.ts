import test from 'ava';
import { FLOW, FLOW_ACTION, FLOW_DOUBLE, FLOW_DROP, FLOW_OWN } from '../tables/flow.js';
import { SESSION, SESSION_COUNT, SESSION_EVENT, SESSION_SETTING, SessionEvents } from '../tables/session-events.js';
import { type RecordSink, SessionLog, type SessionNames } from './session-log.js';

const SETTINGS = { sample: 2, maxPerSecond: 100, refused: { perSecond: 3 } };
const WALL = Date.parse('2026-01-02T03:04:05.000Z');
/** Action, port and rule as an entry has them. */
const PASSES = { state: FLOW_ACTION.forward << 16, rule: (4 << 16) | 1 };
const REFUSED = { state: (FLOW_ACTION.drop << 16) | (FLOW_DROP.sg << 24), rule: -1 };

class Sink implements RecordSink {
  readonly records: unknown[] = [];
  room = Infinity;
  write(records: readonly string[]): number {
    const taken = records.slice(0, this.room);
    this.records.push(...taken.map((text) => JSON.parse(text) as unknown));
    return taken.length;
  }
}

function setUp(sinks: readonly RecordSink[]) {
  const events = new SessionEvents();
  const vmis = new Map([
    [3, 'd:p:a'],
    [4, 'd:p:b'],
  ]);
  const names: SessionNames = {
    vmi: (vif) => vmis.get(vif),
    network: (vrf) => (vrf === 1 ? 'd:p:blue' : undefined),
    rule: (rule) => (rule === -1 ? undefined : `acl ${rule >>> 16} rule ${rule & 0xffff}`),
  };
  const refused: { session: Readonly<Record<string, unknown>>; leftOut: number }[] = [];
  const log = new SessionLog({
    events,
    names,
    onRefused: (session, leftOut) => refused.push({ session, leftOut }),
  });
  log.configure(SETTINGS, sinks);
  return { events, log, refused, vmis };
}

interface Told {
  readonly kind: number;
  readonly state: number;
  readonly rule: number;
  readonly cause?: number;
  readonly key?: readonly number[];
  readonly peer?: number;
}

/** As the worker tells: made at 1000 ms, with 3 packets of 300 bytes, and 2 of 160 in the other direction. */
function tell({ ring }: SessionEvents, time: number, { kind, state, rule, cause = 0, key, peer = 4 }: Told): void {
  const at = ring.claim();
  const { words, doubles } = ring;
  words[at] = kind;
  words[at + SESSION_EVENT.cause] = cause;
  doubles[(at + SESSION_EVENT.time) / 2] = time;
  const v4 = [(4 << 8) | 6, (40000 << 16) | 22, 20, 0x0a000003, 0, 0, 0, 0xc0000201 | 0];
  for (const [entry, owner, packets, bytes] of [
    [at + SESSION_EVENT.forward, 3 | (FLOW_OWN.forward << 16), 3, 300],
    [at + SESSION_EVENT.reverse, peer, 2, 160],
  ]) {
    words.set(key ?? v4, entry);
    words[entry + FLOW.state] = state;
    words[entry + FLOW.rule] = rule;
    words[entry + FLOW.owner] = owner;
    words[entry + FLOW.vrf] = 1 | (2 << 16);
    doubles[entry / 2 + FLOW_DOUBLE.created] = 1000;
    doubles[entry / 2 + FLOW_DOUBLE.packets] = packets;
    doubles[entry / 2 + FLOW_DOUBLE.bytes] = bytes;
  }
  ring.publish();
}

const SESSION_FIELDS = {
  vmi: 'd:p:a',
  network: 'd:p:blue',
  peerVmi: 'd:p:b',
  peerNetwork: null,
  protocol: 'tcp',
  source: '10.0.0.3',
  destination: '192.0.2.1',
  sourcePort: 40000,
  destinationPort: 22,
};
const DECIDED = { action: 'forward', rule: 'acl 4 rule 1' };
const COUNTS = { packets: 3, bytes: 300, reversePackets: 2, reverseBytes: 160 };

test('a session becomes a record when it begins and one when it ends, with names, counts and times', (t) => {
  const sink = new Sink();
  const { events, log } = setUp([sink]);
  tell(events, 1000, { kind: SESSION.start, ...PASSES });
  tell(events, 3500, { kind: SESSION.end, cause: 1, ...PASSES });
  log.drain(4000, WALL);
  t.deepEqual(sink.records, [
    { event: 'start', time: '2026-01-02T03:04:02.000Z', ...SESSION_FIELDS, ...DECIDED, ...COUNTS },
    {
      event: 'end',
      time: '2026-01-02T03:04:04.500Z',
      duration: 2.5,
      cause: 'closed',
      ...SESSION_FIELDS,
      ...DECIDED,
      ...COUNTS,
    },
  ]);
  t.is(log.written, 2);
});

test('IPv6 is written as text, and a protocol without ports has none', (t) => {
  const sink = new Sink();
  const { events, log } = setUp([sink]);
  const key = [(6 << 8) | 47, 0, 20, 0x20010db8, 0, 0, 1, 0x20010db8 | 0, 0, 0, 2];
  tell(events, 1000, { kind: SESSION.start, key, peer: 0xffff, ...PASSES });
  log.drain(1000, WALL);
  const [record] = sink.records as [Record<string, unknown>];
  t.like(record, { protocol: 47, source: '2001:db8::1', destination: '2001:db8::2', peerVmi: null });
  t.false('sourcePort' in record);
});

test('an interface that is gone when its sessions end keeps its name in their records', (t) => {
  const sink = new Sink();
  const { events, log, vmis } = setUp([sink]);
  tell(events, 1000, { kind: SESSION.start, ...PASSES });
  log.drain(1000, WALL);
  vmis.clear();
  tell(events, 1000, { kind: SESSION.end, ...PASSES });
  log.drain(1000, WALL);
  t.like(sink.records[1], { event: 'end', vmi: 'd:p:a', peerVmi: 'd:p:b' });
});

test('a refused session is told with its reason and how many were left out before it, and makes no record', (t) => {
  const sink = new Sink();
  const { events, log, refused } = setUp([sink]);
  tell(events, 1000, { kind: SESSION.refused, ...REFUSED });
  log.drain(1000, WALL);
  events.counts[SESSION_COUNT.refusedLimited] = 17;
  tell(events, 1000, { kind: SESSION.refused, ...REFUSED });
  log.drain(1000, WALL);
  const session = { ...SESSION_FIELDS, action: 'drop', reason: 'SG', rule: null };
  t.deepEqual(refused, [
    { session, leftOut: 0 },
    { session, leftOut: 17 },
  ]);
  t.deepEqual(sink.records, []);
});

test('the worker is asked for nothing that has nowhere to go', (t) => {
  const { events, log } = setUp([]);
  t.deepEqual([...events.settings.subarray(0, 3)], [0, 100, 3]);
  log.configure(SETTINGS, [new Sink()]);
  t.is(events.settings[SESSION_SETTING.sample], 2);
});

test('records a sink does not take are counted as lost, and so are those it loses later', (t) => {
  const sink = new Sink();
  const { events, log } = setUp([sink]);
  sink.room = 1;
  for (let i = 0; i < 3; i++) tell(events, 1000, { kind: SESSION.start, ...PASSES });
  log.drain(1000, WALL);
  t.deepEqual([log.written, log.lost], [1, 2]);
  log.lose(1);
  events.counts[SESSION_COUNT.lost] = 5;
  t.deepEqual([log.written, log.lost], [0, 8]);
});
