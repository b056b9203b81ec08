import test from 'ava';

import { KINDS } from './kinds.js';
import { VALIDATORS } from './schema.js';

test('there is a validator for each kind, in the same order', (t) => {
  t.deepEqual(Object.keys(VALIDATORS), [...KINDS]);
});
