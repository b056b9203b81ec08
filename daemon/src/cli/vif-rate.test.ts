import test from 'ava';

import { guestVif } from '../testing/dumps.js';
import { formatScreen, rates, watchRates } from './vif-rate.js';

const counted = (packets: number, errors = 0) => ({ packets, errors, bytes: 0 });

test('rates are per second, whole, and never negative', (t) => {
  const before = [guestVif({ rx: counted(100), tx: counted(50, 9) })];
  const after = [guestVif({ rx: counted(2105), tx: counted(40, 11) })];
  t.like(rates(before, after, 2000)[0], { rx: { packets: 1002, errors: 0 }, tx: { packets: 0, errors: 1 } });
});

test('an interface that has just come shows zeros', (t) => {
  t.like(rates([], [guestVif()], 1000)[0], { id: 8, rx: { packets: 0 }, tx: { packets: 0 } });
});

test('a screen is printed to the column', (t) => {
  const vif = { id: 8, type: 'Virtual', name: 'tapaaf088f0-65', rx: counted(1234), tx: counted(7, 2) };
  const now = new Date(2019, 4, 6, 7, 8, 9);
  const minutes = -now.getTimezoneOffset();
  const two = (n: number) => String(Math.floor(Math.abs(n))).padStart(2, '0');
  const zone = `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}${two(minutes % 60)}`;
  t.deepEqual(formatScreen([vif], now).split('\n'), [
    'Interface rate statistics',
    '-------------------------',
    '',
    'Interface name                VIF ID                        RX                            TX                            ',
    '                                                      Errors   Packets              Errors   Packets',
    '',
    'Virtual: tapaaf088f0-65       vif0/8                  0        1234                 2        7               ',
    '',
    '',
    "Key 'q' for quit, key 'k' for previous page, key 'j' for next page.",
    `2019-05-06 07:08:09 ${zone} `,
    '',
  ]);
});

test('j and k turn the page and stop at the ends', async (t) => {
  const vifs = Array.from({ length: 5 }, (_, id) => guestVif({ id }));
  const keys = ['k', 'j', 'j', 'j', 'k', 'q'];
  const pages: string[] = [];
  await watchRates(() => Promise.resolve(vifs), {
    rows: () => 9 + 2 * 3,
    show: (text) => void pages.push((text.match(/vif0\/\d/g) ?? []).map((id) => id.slice(-1)).join('')),
    key: () => Promise.resolve(keys.shift()),
    now: () => new Date(0),
  });
  t.deepEqual(pages, ['01', '01', '23', '4', '4', '23']);
});

test('a terminal too small for one interface says so', async (t) => {
  const shown: string[] = [];
  await watchRates(() => Promise.resolve([guestVif()]), {
    rows: () => 11,
    show: (text) => void shown.push(text),
    key: () => Promise.resolve('q'),
    now: () => new Date(0),
  });
  t.deepEqual(shown, ['Size of terminal is too small.\n']);
});
