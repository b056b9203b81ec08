import test from 'ava';
import type { ProbeAnswer } from './agent/prober.js';
import type { ProbeRequest } from './control/host-dumps.js';
import { RefusedError } from './control/refused.js';
import { probeOverlay } from './overlay-probe.js';
import { ROUTE_FLAG } from './tables/records.js';
import { type OtherHost, TestNetwork } from './testing/network.js';
import { formatAddress } from './wire/addr.js';

const HOST: OtherHost = { peer: 2, encapsulation: 'MPLSoUDP', routes: [['5.5.5.20', 57], ['fd00:5::20', 58]] }; // prettier-ignore

/** Asks about an address; the other host says `answer`. */
async function probe(address: string, answer: ProbeAnswer = { outcome: 'reachable', ms: 2 }, host: OtherHost = HOST) {
  const { tables } = new TestNetwork({ hosts: [host] });
  const record = {
    vrf: 7,
    family: 'inet',
    length: 32,
    nexthop: 62,
    label: -1,
    stitchedMac: null,
    stitchedIndex: -1,
  } as const;
  tables.apply({
    ...{ table: 'route', op: 'set' },
    record: { ...record, prefix: '5.5.5.30', flags: ROUTE_FLAG.proxy, network: 10, groups: [] },
  });
  tables.apply({
    ...{ table: 'route', op: 'set' },
    record: { ...record, prefix: '5.5.5.31', nexthop: 1, flags: ROUTE_FLAG.proxy, network: 10, groups: [] },
  });
  const asked: unknown[] = [];
  const request: ProbeRequest = { network: 'test', address, timeoutMs: 20 };
  const dump = await probeOverlay(request, {
    tables,
    prober: {
      ask: (host, question, options) => {
        asked.push([
          host,
          question?.kind,
          question?.number,
          question && formatAddress(question.address),
          options?.timeoutMs,
        ]);
        return Promise.resolve(answer);
      },
    },
  });
  return { dump, asked };
}

test('an address behind a tunnel is asked for at the host, by its label', async (t) => {
  const { dump, asked } = await probe('5.5.5.20');
  t.deepEqual(asked, [['192.168.200.22', 'label', 57, '5.5.5.20', 20]]);
  t.deepEqual(dump, {
    network: 'default-domain:default-project:test',
    address: '5.5.5.20',
    vrf: 7,
    nexthop: 62,
    host: 'host2',
    hostAddress: '192.168.200.22',
    encapsulation: 'MPLSoUDP',
    label: 57,
    outcome: 'reachable',
    vif: null,
    ms: 2,
  });
  t.like(await probe('fd00:5:0::20'), { dump: { address: 'fd00:5::20', label: 58 } });
});

test('in a VXLAN it is asked for by the VNI', async (t) => {
  const { asked } = await probe('5.5.5.20', undefined, { ...HOST, encapsulation: 'VXLAN' });
  t.deepEqual(asked, [['192.168.200.22', 'vni', 57, '5.5.5.20', 20]]);
});

test('what the host says, or that it says nothing, is the outcome', async (t) => {
  for (const outcome of ['unknownLabel', 'unknownAddress', 'otherInterface'] as const)
    t.like((await probe('5.5.5.20', { outcome, ms: 3 })).dump, { outcome, ms: 3 });
  for (const outcome of ['lost', 'noWay', 'unresolved'] as const)
    t.like((await probe('5.5.5.20', { outcome })).dump, { outcome, ms: null });
  t.like((await probe('5.5.5.20', { outcome: 'none', ms: 3 })).dump, { outcome: 'lost' });
});

test('where no tunnel leads nobody is asked', async (t) => {
  for (const [address, outcome, vif] of [
    ['5.5.5.4', 'local', 4],
    ['5.5.5.99', 'noRoute', null],
    ['8.8.8.8', 'noRoute', null],
    ['5.5.5.30', 'noLabel', null],
    ['5.5.5.31', 'noLabel', null],
  ] as const) {
    // prettier-ignore
    const { dump, asked } = await probe(address);
    t.like(dump, { outcome, vif });
    t.deepEqual(asked, []);
  }
});

test('networks that are not here, and what is no address, are refused', async (t) => {
  const { tables } = new TestNetwork();
  const prober = { ask: () => Promise.resolve({ outcome: 'lost' } as const) };
  const refuse = (request: ProbeRequest) =>
    t.throwsAsync(probeOverlay(request, { tables, prober }), { instanceOf: RefusedError });
  t.regex((await refuse({ network: 'red', address: '5.5.5.4' })).message, /^network red has no interface on this host/);
  t.is((await refuse({ network: 'test', address: '5.5.5' })).message, `'5.5.5' is no address`);
});
