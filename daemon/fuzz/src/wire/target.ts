import { isIP } from 'node:net';
import * as addr from '#vrouterd/wire/addr.js';
import * as checksum from '#vrouterd/wire/checksum.js';
import * as dhcp from '#vrouterd/wire/dhcp.js';
import * as ipv4 from '#vrouterd/wire/ipv4.js';
import * as nd from '#vrouterd/wire/nd.js';
import * as tcp from '#vrouterd/wire/tcp.js';
import { Choices } from '../engine/choices.js';
import { must, type Target } from '../engine/target.js';
import { CAPTURES } from '../frames/captures.js';
import { onesComplement } from '../frames/shape.js';
import { PROBES } from './probes.js';

/** Bytes that stand around the ones to be read: what a reader says must not depend on them. */
const FILLS = [0xa5, 0x5a] as const;
const AROUND = 64;
const PROTOCOLS = Object.keys(PROBES);
/** What addresses are written with, and what they are not. */
const ADDRESS_TEXT = Array.from('0123456789abcdefF:::...gx/ -%\n');

/** Every reader of wire/ over arbitrary bytes at arbitrary offsets, and addresses as text. */
export function wireTarget(): Target {
  return {
    name: 'wire',
    about: 'readers of every protocol never look behind the end; checksums, options and addresses against a slow model',
    longest: 512,
    seeds: () =>
      CAPTURES.flatMap((frame) => {
        const head = frame.slice(0, 400);
        // What each protocol's readers expect begins with the header, at these offsets of a frame.
        return PROTOCOLS.map((_, i) => {
          const at = [0, 14, 34, 42, 54].at(i % 5) ?? 0;
          return Uint8Array.of(i, 0, ...head.subarray(at));
        });
      }),
    run(input, observe) {
      const choices = new Choices(input);
      const which = choices.below(PROTOCOLS.length + 1);
      if (which === PROTOCOLS.length) {
        addresses(choices, observe);
        return;
      }
      const protocol = PROTOCOLS[which];
      const shift = choices.byte() % 8;
      const bytes = input.subarray(2);
      const said = read(protocol, bytes, shift, observe);
      if (protocol === 'checksum') sums(bytes, shift);
      if (protocol === 'ipv4') hops(bytes);
      if (protocol === 'tcp') segmentSizeAt(bytes);
      if (protocol === 'dhcp' || protocol === 'nd') options(bytes, protocol);
      for (const [i, one] of said.entries()) observe(`${protocol} ${i} ${kindOf(one)}`);
    },
  };
}

/** Reads the bytes at the very end of an array, and amid others of two kinds: all must say the same. */
function read(
  protocol: string,
  bytes: Uint8Array,
  shift: number,
  observe: (outcome: string) => void,
): readonly unknown[] {
  const alone = new Uint8Array(shift + bytes.length);
  alone.set(bytes, shift);
  const said = PROBES[protocol](alone, shift, alone.length);
  must(
    !said.some((one) => one === undefined || Number.isNaN(one)),
    () => `${protocol}: no value in ${JSON.stringify(said)}`,
  );
  for (const fill of FILLS) {
    const amid = new Uint8Array(shift + bytes.length + 2 * AROUND).fill(fill);
    amid.set(bytes, AROUND + shift);
    const again = PROBES[protocol](amid, AROUND + shift, AROUND + shift + bytes.length);
    must(
      JSON.stringify(again) === JSON.stringify(said),
      () => `${protocol} depends on bytes outside: ${JSON.stringify([said, again])}`,
    );
  }
  if (said.length === 0) observe(`${protocol} too short`);
  return said;
}

/** Any two ranges of the bytes summed together are what the slow way says. */
function sums(bytes: Uint8Array, shift: number): void {
  const at = Math.min(shift, bytes.length);
  const expected = onesComplement(bytes, at, bytes.length);
  must(checksum.checksum(bytes, at, bytes.length) === expected, () => `checksum of [${at}, ${bytes.length})`);
  const middle = at + 2 * Math.floor((bytes.length - at) / 4);
  const parts = checksum.finish(checksum.sum(bytes, middle, bytes.length, checksum.sum(bytes, at, middle)));
  must(parts === expected, () => `checksum of [${at}, ${middle}) and [${middle}, ${bytes.length})`);
}

/** A hop less leaves a right checksum right. */
function hops(bytes: Uint8Array): void {
  const b = bytes.slice();
  if (!ipv4.wellFormed(b, 0, b.length) || ipv4.ttl(b, 0) === 0 || !ipv4.checksumOk(b, 0)) return;
  ipv4.decrementTtl(b, 0);
  must(ipv4.checksumOk(b, 0), () => 'wrong checksum after a hop');
}

/** The option lies in the header, where the slow way finds it. */
function segmentSizeAt(b: Uint8Array): void {
  if (!tcp.fits(0, b.length)) return;
  const stop = Math.min(tcp.dataOffset(b, 0), b.length);
  let expected = -1;
  for (let at = 20; at < stop && b[at] !== 0;) {
    if (b[at] === 1) {
      at++;
      continue;
    }
    const length = at + 1 < stop ? b[at + 1] : 0;
    if (length < 2 || at + length > stop) break;
    if (b[at] === 2) {
      expected = length === 4 ? at + 2 : -1;
      break;
    }
    at += length;
  }
  must(tcp.mssAt(b, 0, b.length) === expected, () => `MSS option at ${tcp.mssAt(b, 0, b.length)}, not ${expected}`);
}

/** An option found lies whole in the message. */
function options(b: Uint8Array, protocol: 'dhcp' | 'nd'): void {
  for (let code = 0; code < 256; code++) {
    if (protocol === 'nd') {
      const at = nd.option(b, 0, b.length, code);
      must(
        at < 0 || (b[at] === code && b[at + 1] > 0 && at + b[at + 1] * 8 <= b.length),
        () => `nd option ${code} at ${at}`,
      );
    } else if (dhcp.fits(0, b.length)) {
      const at = dhcp.option(b, 0, b.length, code);
      const whole = at < 0 || (b[at - 2] === code && at + b[at - 1] <= b.length && at >= dhcp.LEN);
      must(whole, () => `dhcp option ${code} at ${at}`);
    }
  }
}

/** Text that is an address for Node is one for us, and comes back the same; no other is. */
function addresses(choices: Choices, observe: (outcome: string) => void): void {
  let text = '';
  while (!choices.done && text.length < 60) text += choices.pick(ADDRESS_TEXT);
  const family = addr.family(text);
  observe(`address of family ${family}`);
  must(family === (text.includes('%') ? 0 : isIP(text)), () => `${JSON.stringify(text)} is of family ${family}`);
  const parsers = { 4: addr.parseIpv4, 6: addr.parseIpv6, mac: addr.parseMac };
  for (const [kind, parse] of Object.entries(parsers)) {
    try {
      const parsed = parse(text);
      const back =
        kind === '4'
          ? addr.formatIpv4(parsed as number)
          : kind === '6'
            ? addr.formatIpv6(parsed as Uint8Array)
            : addr.formatMac(parsed as Uint8Array);
      must(JSON.stringify(parse(back)) === JSON.stringify(parsed), () => `${JSON.stringify(text)} becomes ${back}`);
      must(back === (kind === '6' ? canonical(text) : back), () => `${JSON.stringify(text)} is written ${back}`);
    } catch (error) {
      must(error instanceof Error && error.message.includes(text) && /^not an? /.test(error.message), () =>
        String(error),
      );
      must(kind === 'mac' || String(family) !== kind, () => `${JSON.stringify(text)} is refused`);
    }
  }
}

/** As the URL standard writes an IPv6 address, which is RFC 5952 but for IPv4-mapped ones. */
function canonical(text: string): string {
  const written = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(written);
  if (!mapped) return written;
  const [high, low] = [parseInt(mapped[1], 16), parseInt(mapped[2], 16)];
  return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function kindOf(value: unknown): string {
  return typeof value === 'number' ? (value < 0 ? '-' : value === 0 ? '0' : '+') : String(value);
}
