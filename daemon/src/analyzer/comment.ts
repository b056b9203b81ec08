/**
 * What is known about a frame, as the comment of a packet in a capture file:
 *
 *     dir=ingress;host=192.0.2.1;action=pass,mirror;flags=0x400000a0;src_vn=default-domain:a:b;dst_vn=default-domain:a:c
 *
 * Keys without value are left out; the port is told by the interface. In names of networks `;`, `%` and what is not printable is written as `%` and two digits.
 */
import { ACTION } from '../wire/mirror-metadata.js';
import { DIRECTION_NAMES, FORMATS, type Direction, type Format, type Origin } from './frame.js';

/** What a comment says. */
export type Said = Pick<
  Origin,
  'format' | 'kind' | 'direction' | 'host' | 'sourceNetwork' | 'destinationNetwork' | 'flags' | 'identifier' | 'port'
>;

/** Names of the bits of the flags, as Contrail's documents have them; `ingress` is told as direction. */
const ACTIONS: readonly (readonly [name: string, bit: number])[] = [
  ['alert', ACTION.alert],
  ['deny', ACTION.deny],
  ['log', ACTION.log],
  ['pass', ACTION.pass],
  ['mirror', ACTION.mirror],
  ['vrf-translate', ACTION.vrfTranslate],
  ['apply-qos', ACTION.applyQos],
  ['host-based-service', ACTION.hostBasedService],
  ['trap', ACTION.trap],
  ['implicit-deny', ACTION.implicitDeny],
];

const escaped = (name: string): string =>
  name.replace(/[^!-:<-~]|%/gu, (c) =>
    [...new TextEncoder().encode(c)].map((b) => `%${b.toString(16).padStart(2, '0')}`).join(''),
  );

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Names of the actions whose bits are set. */
export const actionsOf = (flags: number): readonly string[] =>
  flags < 0 ? [] : ACTIONS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);

/** The comment of frames of which this is known. */
export function formatComment(said: Said): string {
  const parts = [`dir=${DIRECTION_NAMES[said.direction]}`];
  if (said.host !== '') parts.push(`host=${said.host}`);
  if (said.flags >= 0) {
    parts.push(`action=${actionsOf(said.flags).join(',')}`, `flags=0x${said.flags.toString(16).padStart(8, '0')}`);
  }
  if (said.sourceNetwork !== null) parts.push(`src_vn=${escaped(said.sourceNetwork)}`);
  if (said.destinationNetwork !== null) parts.push(`dst_vn=${escaped(said.destinationNetwork)}`);
  if (said.format !== 'tlv') parts.push(`format=${said.format}`);
  if (said.identifier !== null) parts.push(`id=${escaped(said.identifier)}`);
  return parts.join(';');
}

/** Reads a comment; null: it is none of ours. */
export function parseComment(comment: string): Said | null {
  const fields = new Map<string, string>();
  for (const part of comment.split(';')) {
    const equals = part.indexOf('=');
    if (equals > 0) fields.set(part.slice(0, equals), part.slice(equals + 1));
  }
  const direction = DIRECTION_NAMES.findIndex((name) => name === fields.get('dir'));
  if (direction < 0) return null;
  const name = (key: string): string | null => {
    const value = fields.get(key);
    return value === undefined ? null : unescaped(value);
  };
  const flags = Number(fields.get('flags') ?? -1);
  const [sourceNetwork, destinationNetwork] = [name('src_vn'), name('dst_vn')];
  const known = sourceNetwork !== null || destinationNetwork !== null;
  return {
    format: formatNamed(fields.get('format')),
    kind: kindOf(flags, known),
    direction: direction as Direction,
    host: fields.get('host') ?? '',
    sourceNetwork,
    destinationNetwork,
    flags: Number.isInteger(flags) && flags >= 0 && flags <= 0xffff_ffff ? flags : -1,
    identifier: name('id'),
    port: 0,
  };
}

const formatNamed = (text: string | undefined): Format => FORMATS.find((one) => one === text) ?? 'tlv';

/** Only copies of flows say flags. */
export function kindOf(flags: number, hasNetwork: boolean): Origin['kind'] {
  if (flags >= 0) return 'flow';
  return hasNetwork ? 'port' : 'none';
}

/** What interfaces of captures that keep the outer headers have in their description besides. */
export const HEADERS_KEPT = ' headers=kept';

/** Reads the description of an interface; null: it is none of ours. */
export function parseDescription(text: string): { readonly port: number; readonly keepsHeaders: boolean } | null {
  const parts = /^analyzer=.* port=(\d{1,5}) kind=(?:port|flow|none)( headers=kept)?$/s.exec(text);
  return parts === null ? null : { port: Number(parts[1]) & 0xffff, keepsHeaders: text.endsWith(HEADERS_KEPT) };
}
