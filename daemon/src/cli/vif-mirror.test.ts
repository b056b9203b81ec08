import test from 'ava';
import fc from 'fast-check';

import { guestVif } from '../testing/dumps.js';
import { surroundings } from '../testing/surroundings.js';
import { ofPort } from '../wire/mirror-metadata.js';
import { format, formatOne, vif } from './vif.js';

const hex = (isFromGuest: boolean, network: string): string =>
  Buffer.from(ofPort(isFromGuest, network)).toString('hex');
const metadataOf = (network: string) => ({ ingress: hex(true, network), egress: hex(false, network) });
const mirrored = guestVif({
  flags: ['P', 'Mr', 'Mt', 'L3', 'L2', 'D', 'Er'],
  mirrors: [0],
  mirrorMetadata: metadataOf('default-domain:tim:traffic-net'),
});

test('a mirrored interface shows its mirror, and its metadata to the column', (t) => {
  const text = formatOne(mirrored);
  t.true(text.includes(' Flags:PMrMtL3L2DEr QOS:-1 Ref:6 Mirror index 0\n'));
  t.is(
    text.split('Drops:21\n')[1],
    [
      '            Ingress Mirror Metadata: 3 1e 64 65 66 61 75 6c 74 2d 64 ',
      '                                     6f 6d 61 69 6e 3a 74 69 6d 3a 74 ',
      '                                     72 61 66 66 69 63 2d 6e 65 74 ff ',
      '                                     0 ',
      '            Egress Mirror Metadata: 4 1e 64 65 66 61 75 6c 74 2d 64 6f ',
      '                                    6d 61 69 6e 3a 74 69 6d 3a 74 72 ',
      '                                    61 66 66 69 63 2d 6e 65 74 ff 0 ',
      '',
      '',
    ].join('\n'),
  );
});

test('several mirrors stand behind one another; --list has no metadata', async (t) => {
  const listed = format([{ ...mirrored, mirrors: [0, 1, 12] }]);
  t.true(listed.includes(' Ref:6 Mirror index 0, 1, 12\n'));
  t.false(listed.includes('Metadata'));
  const daemon = { vif: () => Promise.resolve(mirrored) };
  t.is(await vif.run(['--get', '8'], surroundings(daemon)), formatOne(mirrored));
});

test('an interface that is not mirrored shows none of it', (t) => {
  t.is(formatOne(guestVif()), format([guestVif()]));
});

test('metadata of any network reads back as it is, in lines that end behind their 68th character', (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z:-]{1,200}$/), (network) => {
      const metadata = metadataOf(network);
      const lines = formatOne({ ...mirrored, mirrorMetadata: metadata })
        .split('Drops:21\n')[1]
        .split('\n');
      const egressAt = lines.findIndex((line) => line.includes('Egress'));
      const read = (some: readonly string[]): string =>
        some
          .join(' ')
          .replace(/^.*Metadata: /, '')
          .trim()
          .split(/ +/)
          .map((byte) => byte.padStart(2, '0'))
          .join('');
      t.is(read(lines.slice(0, egressAt)), metadata.ingress);
      t.is(read(lines.slice(egressAt)), metadata.egress);
      for (const line of lines) t.true(line.length <= 71);
    }),
  );
});
