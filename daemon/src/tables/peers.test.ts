import test from 'ava';
import fc from 'fast-check';
import { parseAddress } from '../wire/addr.js';
import { addressWords } from './address-words.js';
import { PeerTable } from './peers.js';

const address = fc.oneof(
  fc.tuple(fc.nat(3), fc.nat(255)).map(([a, b]) => `10.0.${a}.${b}`),
  fc.nat(0xffff).map((n) => `fd00::${n.toString(16)}`),
);

function find(table: PeerTable, text: string): number {
  const bytes = parseAddress(text);
  const id = table.findWords(Int32Array.of(0, ...addressWords(text)), 1);
  if (id !== (bytes.length === 4 ? table.find4(bytes, 0) : table.find6(bytes, 0))) throw new Error(text);
  return bytes.length === 4 ? table.find4(bytes, 0) : table.find6(bytes, 0);
}

test('hosts are found by their address as a plain map says', (t) => {
  t.notThrows(() => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), fc.option(address))), (changes) => {
        const table = new PeerTable();
        const model = new Map<number, string>();
        for (const [id, text] of changes) {
          if (text === null) table.delete(id);
          else table.set({ id, address: text, name: `host ${id}` });
          if (text === null) model.delete(id);
          else model.set(id, text);
        }
        for (const [, text] of changes) {
          if (text === null) continue;
          const expected = [...model].find(([, other]) => other === text)?.[0] ?? -1;
          if (find(table, text) !== expected) throw new Error(`${text}: ${find(table, text)}, not ${expected}`);
        }
      }),
      { numRuns: 50 },
    );
  });
});

test('a stranger has no number', (t) => {
  const table = new PeerTable();
  table.set({ id: 4, address: '192.168.100.3', name: 'h3' });
  t.is(find(table, '192.168.100.4'), -1);
  t.is(find(table, '192.168.100.3'), 4);
});
