import { readLinkMessages } from '../../../../native-shims/packet-io/dist/netlink.js';
import { must, type Target } from '../engine/target.js';

const FILLS = [0xa5, 0x5a] as const;
const AROUND = 32;

/** What the kernel says of a veth named `v0` at index 2 with the MAC 02:00:00:00:00:01, MTU 1500; then the end of the list. */
const LINK = [
  ...[108, 0, 0, 0, 16, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0], // newlink
  ...[0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0], // flags up, running, lower up
  ...[7, 0, 3, 0, 0x76, 0x30, 0, 0], // name
  ...[8, 0, 4, 0, 0xdc, 5, 0, 0], // mtu
  ...[8, 0, 5, 0, 3, 0, 0, 0], // link
  ...[10, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 0], // address
  ...[9, 0, 20, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0, 0, 0], // alias
  ...[16, 0, 18, 0, 9, 0, 1, 0, 0x76, 0x65, 0x74, 0x68, 0, 0, 0, 0], // kind
  ...[12, 0, 23, 0, 1, 2, 3, 4, 5, 6, 7, 8],
] as const;
const DONE = [20, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] as const;
const REFUSED = [
  36,
  0,
  0,
  0,
  2,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0xff,
  0xff,
  0xff,
  0xff,
  ...new Array<number>(16).fill(0),
] as const;

/** The reader of what the kernel says of links. */
export function netlinkTarget(): Target {
  return {
    name: 'netlink',
    about: 'the reader of link messages never looks behind the datagram, and reads what it is',
    longest: 600,
    seeds: () => [LINK, DONE, REFUSED, [...LINK, ...LINK, ...DONE]].map((bytes) => Uint8Array.from(bytes)),
    run(input, observe) {
      const alone = readLinkMessages(input.slice());
      for (const fill of FILLS) {
        const amid = new Uint8Array(input.length + 2 * AROUND).fill(fill);
        amid.set(input, AROUND);
        const again = readLinkMessages(amid.subarray(AROUND, AROUND + input.length));
        must(
          JSON.stringify(again) === JSON.stringify(alone),
          () => `depends on bytes outside: ${JSON.stringify([alone, again])}`,
        );
      }
      must(alone.changes.length * 32 <= input.length, () => `${alone.changes.length} links in ${input.length} bytes`);
      observe(`${Math.min(alone.changes.length, 3)} ${alone.done} ${alone.interrupted} ${alone.error === 0}`);
      for (const { type, link } of alone.changes) {
        const { name, alias, kind, address, mtu, peer } = link;
        observe(
          `${type} ${[name, alias, kind, address].map((text) => Math.min(text.length, 3)).join(' ')} ${mtu > 0} ${peer > 0}`,
        );
      }
    },
  };
}
