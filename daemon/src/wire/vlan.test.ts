import test from 'ava';
import { hex, written } from '../testing/hex.js';
import * as vlan from './vlan.js';

const MACS = '02 00 00 00 00 0b  02 00 00 00 00 0a';
const TAG = hex('81 00 a0 05');

test('priority and identifier of a tag', (t) => {
  t.true(vlan.isTag(0x8100));
  t.true(vlan.isTag(0x88a8));
  t.false(vlan.isTag(0x0800));
  t.is(vlan.id(TAG, 0), 5);
  t.is(vlan.priority(TAG, 0), 5);
  t.is(vlan.id(hex('81 00 1f ff'), 0), 0xfff);
});

test('a tag is written whole', (t) => {
  t.deepEqual(
    written(4, (b) => {
      vlan.write(b, 0, 0x8100, 5, 5);
    }),
    TAG,
  );
});

const FRAMES = {
  'no tag': { frame: `${MACS} 08 00`, at: 12 },
  'one tag': { frame: `${MACS} 81 00 00 05 08 00`, at: 16 },
  'two tags': { frame: `${MACS} 88 a8 00 07 81 00 00 05 86 dd`, at: 20 },
  'three tags': { frame: `${MACS} 81 00 00 07 81 00 00 05 81 00 00 03 08 00`, at: 20 },
  'a tag cut off': { frame: `${MACS} 81 00 00 05 08`, at: -1 },
  'no room for a type': { frame: MACS, at: -1 },
};
for (const [name, { frame, at }] of Object.entries(FRAMES)) {
  test(`the type of a frame with ${name}`, (t) => {
    const b = hex(`ff ff ${frame}`);
    t.is(vlan.typeAt(b, 2, b.length), at < 0 ? -1 : at + 2);
  });
}
