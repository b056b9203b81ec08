/** Where frames are sent on to, as a URL: `vxlan://HOST[:PORT]?vni=N`, `jmirror://`, `tzsp://` and `erspan://`. */
import { UDP_PORT as JMIRROR_PORT } from '../wire/jmirror.js';
import { UDP_PORT as VXLAN_PORT } from '../wire/vxlan.js';

/** What a tool receives frames as, where it listens by default (0: it has no ports), and what may be chosen: default, smallest, largest. */
const FORMATS = {
  vxlan: { port: VXLAN_PORT, options: { vni: [1, 0, 0xff_ffff] } },
  jmirror: { port: JMIRROR_PORT, options: { mirror: [1, 0, 0xffff_ffff], session: [1, 0, 0xffff_ffff] } },
  tzsp: { port: 37_008, options: {} },
  erspan: { port: 0, options: { session: [1, 0, 1023], version: [2, 2, 3] } },
} as const satisfies Record<string, { port: number; options: Record<string, readonly [number, number, number]> }>;
type EmitFormat = keyof typeof FORMATS;

export interface EmitTarget {
  readonly format: EmitFormat;
  /** Name or address, the latter without brackets. */
  readonly host: string;
  /** UDP port; 0: it goes over GRE. */
  readonly port: number;
  /** Numbers of the format: network identifier, session, mirror, version. */
  readonly options: Readonly<Record<string, number>>;
  /** The URL as it was given. */
  readonly url: string;
}

/** Reads a URL. Throws an Error that says what is wrong with it. */
export function parseEmitTarget(text: string): EmitTarget {
  const wrong = (problem: string): Error => new Error(`${text}: ${problem}`);
  const parts = /^([a-z]+):\/\/(.*)$/.exec(text);
  if (parts === null) throw wrong(`use ${known()}`);
  const [, scheme, rest] = parts;
  if (!Object.hasOwn(FORMATS, scheme)) throw wrong(`there is no ${scheme}; use ${known()}`);
  const format = scheme as EmitFormat;
  // Of schemes it does not know the parser takes hosts as they are; of this one it checks them.
  const url = tryUrl(`http://${rest}`);
  if (url === null) throw wrong('this is no host and port');
  if (url.pathname !== '/' || url.username !== '' || url.hash !== '')
    throw wrong(`use ${format}://HOST[:PORT][?OPTIONS]`);
  const port = /^(?:\[.*\]|[^:?/]*):(\d+)/.exec(rest)?.[1];
  const usual: number = FORMATS[format].port;
  if (port !== undefined && usual === 0) throw wrong(`${format} has no ports`);
  if (port === '0') throw wrong('0 is no port');
  return {
    format,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === undefined ? usual : Number(port),
    options: numbers(format, url.searchParams, wrong),
    url: text,
  };
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function numbers(
  format: EmitFormat,
  given: URLSearchParams,
  wrong: (problem: string) => Error,
): Record<string, number> {
  const limits: Record<string, readonly [number, number, number]> = FORMATS[format].options;
  for (const key of given.keys()) {
    const names = Object.keys(limits).join(', ');
    if (!Object.hasOwn(limits, key))
      throw wrong(`there is no ${key}; ${names === '' ? `${format} has no options` : `use ${names}`}`);
  }
  return Object.fromEntries(
    Object.entries(limits).map(([key, [byDefault, least, most]]) => {
      const text = given.get(key);
      const value = Number(text ?? byDefault);
      if (text !== null && (!/^\d+$/.test(text) || value < least || value > most)) {
        throw wrong(`${key} is a number from ${least} to ${most}`);
      }
      return [key, value];
    }),
  );
}

const known = (): string =>
  Object.entries(FORMATS)
    .map(([format, { port }]) => `${format}://HOST${port === 0 ? '' : '[:PORT]'}`)
    .join(', ');
