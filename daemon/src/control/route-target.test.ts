import test from 'ava';
import { automaticTarget, canonicalTarget } from './route-target.js';

test('route targets have one canonical text', (t) => {
  t.is(canonicalTarget('target:65500:101'), 'target:65500:101');
  t.is(canonicalTarget('target:065500:0101'), 'target:65500:101');
  t.is(canonicalTarget('target:010.1.2.3:7'), 'target:10.1.2.3:7');
  t.is(canonicalTarget('target:4200000000:65535'), 'target:4200000000:65535');
  t.is(canonicalTarget('target:64512:4294967295'), 'target:64512:4294967295');
});

test('what does not fit into eight bytes is no route target', (t) => {
  const wrong = [
    '65500:101',
    'target:65500',
    'target:65500:',
    'target:0:1',
    'target:4294967296:1',
    'target:65536:65536',
    'target:64512:4294967296',
    'target:10.1.2.3:65536',
    'target:10.1.2.256:1',
    'target:10.1.2:1',
    'target:10..2.3:1',
    'target:a:1',
    'target:65500:-1',
    ' target:65500:1',
  ];
  for (const text of wrong) t.throws(() => canonicalTarget(text), undefined, text);
});

test('every network has a target of its own, which is canonical', (t) => {
  t.is(automaticTarget(10), 'target:64512:8000010');
  t.is(canonicalTarget(automaticTarget(0xff_ffff)), automaticTarget(0xff_ffff));
});
