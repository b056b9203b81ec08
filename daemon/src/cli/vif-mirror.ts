/** What of mirroring an interface shows: the indices of its mirrors, and the metadata its copies carry. */
import type { VifDump } from '../control/dumps.js';

const INDENT = ' '.repeat(12);
/** Bytes go on in a new line once the line has more characters than this. */
const LINE_MOST = 68;

/** Behind the flags: ` Mirror index 0`; empty when nothing is mirrored. */
export const mirrorIndices = ({ mirrors }: VifDump): string =>
  mirrors.length === 0 ? '' : ` Mirror index ${mirrors.join(', ')}`;

/** The metadata section; empty when nothing is mirrored. */
export function formatMirrorMetadata({ mirrorMetadata }: VifDump): string {
  if (mirrorMetadata === null) return '';
  return (
    dump('Ingress Mirror Metadata: ', mirrorMetadata.ingress) + dump('Egress Mirror Metadata: ', mirrorMetadata.egress)
  );
}

/** Bytes without leading zeros, a space behind each. */
function dump(title: string, hex: string): string {
  const start = INDENT.length + title.length;
  let text = INDENT + title;
  let column = start;
  for (const byte of Buffer.from(hex, 'hex')) {
    const part = `${byte.toString(16)} `;
    text += part;
    column += part.length;
    if (column <= LINE_MOST) continue;
    text += `\n${' '.repeat(start)}`;
    column = start;
  }
  return `${text}\n`;
}
