import type { Choices } from '../engine/choices.js';

/** Values a field is given: right ones of other fields, edges, and what no field expects. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  1,
  -1,
  1.5,
  68,
  9216,
  0xff_ffff,
  0x1_0000_0000,
  1e21,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '',
  'blue',
  'd:p:blue',
  'a:b',
  'a\nb',
  'a\r\u2028b',
  '\u001b[31m',
  ' ',
  '../x',
  '/',
  '.',
  'x'.repeat(300),
  '\ud800',
  '5.5.5.0/24',
  '5.5.5.1',
  '5.5.5.1/24',
  '0.0.0.0',
  '0.0.0.0/0',
  '255.255.255.255/32',
  '::',
  '::/0',
  'fd00:5::/64',
  'fd00:5::1',
  '::ffff:1.2.3.4',
  'fe80::1%eth0',
  '02:00:00:00:00:01',
  '00:00:5e:00:01:00',
  'ff:ff:ff:ff:ff:ff',
  'f8659136-1178-4a5c-9d3e-0c1b2a394857',
  'VirtualNetwork',
  'VirtualMachineInterface',
  'NetworkPolicy',
  'SecurityGroup',
  'vrouter/v1',
  'l2',
  'l3',
  'any',
  'tcp',
  'icmp',
  '443',
  '8000-8080',
  '2-1',
  '<>',
  'self',
  'tap',
  'netns',
  'device',
  'veth',
  'embedded',
  'redis://h:6379',
  'redis://',
  'rediss://[::1]:99999/x',
  'redis://a b',
  'unix:///a',
  'http://x',
  '127.0.0.1:9090',
  'x:99999',
  '__proto__',
  'constructor',
  'toString',
  [],
  {},
  [[]],
  [null],
  { type: 'tap' },
  { env: 'X' },
  { url: 'redis://h' },
  { start: '5.5.5.3', end: '5.5.5.2' },
  { '': 0 },
  { 'a\nb': 1 },
  { 'a b': { c: 1 } },
];

/** Fields added where nobody expects them. */
const KEYS = ['extra', '', 'a\nb', '0', '__proto__', 'constructor', 'kind', 'spec', 'type', 'name', 'prefix'] as const;
/** Nesting as deep as somebody may send it. */
const DEPTHS = [10, 1000, 10_000] as const;

type Branch = Record<string, unknown>;

/** Changes some values, somewhere in the tree, in place; returns the tree. */
export function changed(root: unknown, choices: Choices): unknown {
  let tree = root;
  for (let n = choices.below(4); n > 0; n--) tree = changedOnce(tree, choices);
  return tree;
}

function changedOnce(root: unknown, choices: Choices): unknown {
  if (!isBranch(root)) return chooseValue(choices);
  let at = root;
  for (;;) {
    const keys = Object.keys(at);
    const key = choices.pick(keys.length === 0 ? KEYS : keys);
    const below = own(at, key);
    // Going on is likelier than stopping, so that leaves are changed most.
    if (isBranch(below) && choices.below(5) > 0) {
      at = below;
      continue;
    }
    changeAt(at, key, choices);
    return root;
  }
}

function changeAt(branch: Branch | unknown[], key: string, choices: Choices): void {
  if (Array.isArray(branch)) return changeIn(branch, Number(key), choices);
  switch (choices.below(6)) {
    case 0:
      Reflect.deleteProperty(branch, key);
      return;
    case 1:
      setOwn(branch, choices.pick(KEYS), chooseValue(choices));
      return;
    case 2:
      setOwn(branch, choices.pick(KEYS), copied(own(branch, key)));
      return;
    default:
      setOwn(branch, key, chooseValue(choices));
  }
}

/** A list gets no fields with names: no text that is read becomes such a thing. */
function changeIn(list: unknown[], index: number, choices: Choices): void {
  const at = index in list ? index : list.length;
  switch (choices.below(6)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      list.push(chooseValue(choices));
      return;
    case 2:
      list.push(copied(list[at]));
      return;
    default:
      list[at] = chooseValue(choices);
  }
}

function chooseValue(choices: Choices): unknown {
  if (choices.chance(4)) return nested(choices.pick(DEPTHS));
  if (choices.chance(32)) return choices.u32() / choices.pick([1, 2, 65_536]);
  return structuredClone(choices.pick(VALUES));
}

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** A copy down to some level; what is nested further is shared, as structuredClone would follow it until the stack ends. */
function copied(value: unknown, levels = 100): unknown {
  if (!isBranch(value) || levels === 0) return value;
  if (Array.isArray(value)) return value.map((item) => copied(item, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copied(item, levels - 1)]));
}

/** The field itself, not what every object has by that name. */
const own = (branch: Branch, key: string): unknown => (Object.hasOwn(branch, key) ? branch[key] : undefined);

/** Also sets `__proto__` as a field, as parsers of JSON do. */
function setOwn(branch: Branch, key: string, value: unknown): void {
  Object.defineProperty(branch, key, { value, writable: true, enumerable: true, configurable: true });
}

const isBranch = (value: unknown): value is Branch => typeof value === 'object' && value !== null;
