import test from 'ava';
import { FRAGMENT_KEY, FRAGMENT_MS, type FragmentKey, newFragmentKey } from '../tables/fragment.js';
import { Packet } from '../packet/packet.js';
import { VIF_TYPE } from '../tables/records.js';
import { Vif } from '../tables/vif.js';
import { FragmentQueue } from './fragment-queue.js';

const vif = (id: number): Vif =>
  new Vif({
    ...{ id, type: VIF_TYPE.virtual, name: `tap${id}`, mac: '00:00:5e:00:01:00', vrf: 7, mcastVrf: 7, flags: 0 },
    ...{ nexthop: 20 + id, ip: '5.5.5.3', ip6: null, mtu: 1450, macs: ['02:00:00:00:00:03'], portSecurity: true },
    ...{ maxFlows: 0, egressAcl: -1, ingressAcl: -1, fatFlows: [], fatFlowExclude: [], mirrors: [] },
  });

function key(id: number): FragmentKey {
  const k = newFragmentKey();
  k[FRAGMENT_KEY.id] = id;
  return k;
}

/** 10 bytes of virtio-net header and a frame, behind 20 bytes of others. */
const frame = (fill: number, length: number): Uint8Array => {
  const b = new Uint8Array(20 + 10 + length + 20).fill(0xa5);
  b.fill(fill, 20, 30 + length);
  return b;
};

/** What is known of a frame of that length in those 20 bytes, on its way to a nexthop. */
function packet(length: number, nexthop = -1): Packet {
  const p = new Packet();
  p.at = 30;
  p.end = 30 + length;
  p.nexthop = nexthop;
  p.vrf = 9;
  p.peer = nexthop;
  p.made = 14;
  p.outerSource = -2;
  return p;
}

test('a frame comes out as it went in, with its virtio-net header', (t) => {
  const queue = new FragmentQueue();
  const guest = vif(3);
  t.true(queue.put(frame(7, 1514), packet(1514), key(1), guest, 0));
  t.true(queue.put(frame(8, 60), packet(60, 27), key(2), guest, 0));
  const first = queue.oldest;
  const second = queue.after(first);
  t.is(queue.after(second), -1);
  t.true(queue.isOf(first, key(1)));
  t.false(queue.isOf(first, key(2)));
  t.is(queue.vifOf(first), guest);
  t.is(queue.lengthOf(second), 60);
  const p = new Packet();
  queue.recall(first, p);
  t.like(p, { nexthop: -1, peer: -1 });
  queue.recall(second, p);
  t.like(p, { nexthop: 27, peer: 27, vrf: 9, made: 14, outerSource: -2 });

  const out = new Uint8Array(200).fill(0xa5);
  queue.copy(second, out, 50);
  t.deepEqual(out.subarray(40, 110), new Uint8Array(70).fill(8));
  t.true(out.every((byte, i) => byte === (i >= 40 && i < 110 ? 8 : 0xa5)));
});

test('frames wait two seconds, in the order they came', (t) => {
  const queue = new FragmentQueue();
  queue.put(frame(1, 60), packet(60), key(1), vif(3), 100);
  queue.put(frame(2, 60), packet(60), key(1), vif(3), 200);
  t.false(queue.isOver(queue.oldest, 100 + FRAGMENT_MS - 1));
  t.true(queue.isOver(queue.oldest, 100 + FRAGMENT_MS));
  queue.give(queue.oldest);
  t.false(queue.isOver(queue.oldest, 100 + FRAGMENT_MS));
  queue.give(queue.oldest);
  t.deepEqual([queue.oldest, queue.used], [-1, 0]);
});

test('256 frames wait at most, 64 of one interface', (t) => {
  const queue = new FragmentQueue();
  const fill = (guest: Vif): number => {
    let n = 0;
    while (queue.put(frame(1, 60), packet(60), key(n), guest, 0)) n++;
    return n;
  };
  t.deepEqual(
    [3, 4, 5, 6, 7].map((id) => fill(vif(id))),
    [64, 64, 64, 64, 0],
  );
  t.is(queue.used, 256);
});

test('who has fewer frames waiting finds room at the cost of who has more', (t) => {
  const queue = new FragmentQueue({ places: 4, share: 2 });
  const [a, b, c] = [vif(3), vif(4), vif(5)];
  for (const guest of [a, a]) queue.put(frame(1, 60), packet(60), key(1), guest, 0);
  t.is(queue.displaced(c), -1, 'there is room');
  for (const guest of [b, b]) queue.put(frame(1, 60), packet(60), key(1), guest, 0);
  t.is(queue.displaced(a), -1, 'it has its share');
  t.is(queue.displaced(c), queue.oldest);
  queue.give(queue.displaced(c));
  t.true(queue.put(frame(1, 60), packet(60), key(1), c, 0));
  t.is(queue.displaced(a), -1, 'nobody has two more');
});

test('a jumbo frame may wait, a longer one is refused', (t) => {
  const queue = new FragmentQueue({ places: 2, share: 2 });
  t.true(queue.put(frame(1, 9022), packet(9022), key(1), vif(3), 0));
  t.false(queue.put(frame(1, 9023), packet(9023), key(1), vif(3), 0));
  t.is(queue.used, 1);
});
