import test from 'ava';
import { parseAddress } from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as keepalive from '../wire/keepalive.js';
import * as mpls from '../wire/mpls.js';
import * as udp from '../wire/udp.js';
import { Prober } from './prober.js';
import type { Way } from './way.js';

const WAY = { source: '192.168.0.1', rewrite: '0c00000000020c00000000010800', mtu: 1500 };

/** A prober whose frames another host answers with `result`, from `from`; its clock goes on by 5 ms with each look. */
function probing(changes: { result?: keepalive.ProbeResult; from?: string; way?: Way | null } = {}) {
  const { result = 'reachable', from = '192.168.0.2', way = WAY } = changes;
  let now = 0;
  const prober = new Prober(() => (now += 5));
  const sent: Uint8Array[] = [];
  const answer = (frame: Uint8Array): void => {
    const isIpv4 = from.includes('.');
    const ip = isIpv4 ? ipv4.LEN : ipv6.LEN;
    const at = ethernet.LEN + ip + udp.LEN + mpls.LEN;
    const isProbe = keepalive.type(frame, at) === keepalive.PROBE;
    keepalive.turnIntoAnswer(frame, at, isProbe ? keepalive.RESULT_CODE[result] : 0);
    frame.set(parseAddress(from), ethernet.LEN + (isIpv4 ? ipv4.SRC : ipv6.SRC));
    prober.receive(frame);
  };
  prober.connect({
    send: (frame) => {
      sent.push(frame);
      setImmediate(() => {
        answer(frame.slice());
      });
    },
    wayTo: () => way,
  });
  return { prober, sent, answer };
}

const LABEL = { kind: 'label', number: 57, address: parseAddress('10.0.0.6') } as const;

test('a host is asked where a label leads, and what it says is told with the time it took', async (t) => {
  for (const result of ['reachable', 'unknownLabel', 'unknownAddress', 'otherInterface'] as const) {
    const { prober, sent } = probing({ result });
    t.deepEqual(await prober.ask('192.168.0.2', LABEL), { outcome: result, ms: 5 });
    t.is(sent.length, 1);
    const at = ethernet.LEN + ipv4.LEN + udp.LEN + mpls.LEN;
    t.is(keepalive.number(sent[0], at), 57);
    t.is(ipv4.dst(sent[0], ethernet.LEN), 0xc0a80002);
  }
});

test('a host that lives says so', async (t) => {
  t.is(await probing().prober.alive({ tunnelAddress: '192.168.0.2' }), 5);
  t.is(await probing({ way: null }).prober.alive({ tunnelAddress: '192.168.0.2' }), null);
});

test('hosts with IPv6 addresses are asked as well, however the address is written', async (t) => {
  const way = { ...WAY, source: 'fd00::1' };
  const { prober } = probing({ way, from: 'fd00::2' });
  t.like(await prober.ask('fd00:0:0:0:0:0:0:2', LABEL), { outcome: 'reachable' });
});

test('what does not answer in time, is unreachable, or answers in the name of another is not there', async (t) => {
  t.deepEqual(await probing({ from: '192.168.0.9' }).prober.ask('192.168.0.2', LABEL, { timeoutMs: 10 }), {
    outcome: 'lost',
  });
  t.deepEqual(await probing({ way: null }).prober.ask('192.168.0.2'), { outcome: 'noWay' });
  t.deepEqual(await probing({ way: { ...WAY, rewrite: '' } }).prober.ask('192.168.0.2'), { outcome: 'unresolved' });
  t.deepEqual(await new Prober(() => 0).ask('192.168.0.2'), { outcome: 'noWay' });
});

test('answers to nothing, twice, and other frames change nothing', async (t) => {
  const { prober, sent, answer } = probing();
  await prober.ask('192.168.0.2', LABEL);
  answer(sent[0].slice());
  prober.receive(new Uint8Array(10));
  prober.receive(sent[0]);
  const other = await prober.ask('192.168.0.2', LABEL);
  t.like(other, { outcome: 'reachable' });
});
