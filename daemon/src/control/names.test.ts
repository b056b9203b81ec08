import test from 'ava';
import { DEFAULT_SCOPE, defaultDevice, defaultMac, fullName, splitName, uuidOf } from './names.js';

test('a short name is completed with domain and project, a full one stays', (t) => {
  t.deepEqual(splitName('blue', DEFAULT_SCOPE), { ...DEFAULT_SCOPE, name: 'blue' });
  t.deepEqual(splitName('d:p:blue', DEFAULT_SCOPE), { domain: 'd', project: 'p', name: 'blue' });
  t.is(fullName({ domain: 'd', project: 'p', name: 'blue' }), 'd:p:blue');
});

test('names with two parts, empty parts, blanks or slashes are none', (t) => {
  for (const text of ['', 'p:blue', 'a:b:c:d', '::blue', 'a b', 'a/b', 'a\nb', 'x'.repeat(256)]) {
    t.is(splitName(text, DEFAULT_SCOPE), undefined, text);
  }
});

test('the UUID of a name is version 5 and always the same', (t) => {
  // Worked out with another implementation (Python's uuid.uuid5) and the same name space.
  t.is(uuidOf('VirtualMachineInterface', 'default-domain:default-project:vm1'), '3827d7bd-ba70-555c-8835-eb3798311813');
  t.not(uuidOf('VirtualNetwork', 'a:b:c'), uuidOf('VirtualMachineInterface', 'a:b:c'));
});

test('device and MAC come from the UUID as in Contrail', (t) => {
  const uuid = 'aaf088f0-65c4-4d5b-8d3b-3ee5c3d4e5f6';
  t.is(defaultDevice(uuid), 'tapaaf088f0-65');
  t.is(defaultMac(uuid), '02:aa:f0:88:f0:65');
});
