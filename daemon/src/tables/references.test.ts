import test from 'ava';
import { NH_FLAG, NH_TYPE } from './records.js';
import { countReferences } from './references.js';
import { Tables } from './tables.js';

test('a nexthop counts once for itself and once for each label and network identifier that leads to it, and each mirror', (t) => {
  const tables = new Tables(null);
  const record = {
    id: 20,
    type: NH_TYPE.vrfTranslate,
    family: 'bridge',
    flags: NH_FLAG.valid,
    vrf: 0,
    oif: -1,
    rewrite: '',
    members: [],
  } as const;
  tables.apply({ table: 'nexthop', op: 'set', record });
  t.is(countReferences(tables).nexthop(20), 1);
  for (const label of [16, 17]) tables.apply({ table: 'label', op: 'set', record: { label, nexthop: 20 } });
  tables.apply({ table: 'vni', op: 'set', record: { vni: 4, nexthop: 20 } });
  t.is(countReferences(tables).nexthop(20), 4);
  const limits = { isDynamic: true, vni: -1, nicVlan: 0, rateLimit: 0, sample: 1, snapLength: 0, suppressErrors: true };
  tables.apply({ table: 'mirror', op: 'set', record: { ...limits, id: 3, name: 'DPI', nexthop: 20 } });
  t.is(countReferences(tables).nexthop(20), 5);
  tables.apply({ table: 'mirror', op: 'delete', id: 3 });
  tables.apply({ table: 'label', op: 'delete', label: 16 });
  t.is(countReferences(tables).nexthop(20), 3);
});
