import * as z from 'zod';
import * as addr from '../wire/addr.js';
import { DEFAULT_SCOPE, NAME_PART, splitName } from './names.js';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from './prefix.js';
import { canonicalTarget } from './route-target.js';
import { shown } from './shown.js';

/**
 * The building blocks of the resources: text that is checked and brought into its one canonical form while it is read.
 * A problem's text completes the sentence `"VALUE" ...; use e.g. EXAMPLE`.
 */
export function canonical(canonicalise: (value: string) => string, problem: string, example: string) {
  return z
    .string()
    .transform((value, context) => {
      try {
        return canonicalise(value);
      } catch {
        context.addIssue({ code: 'custom', message: `${shown(value)} ${problem}; use e.g. ${example}` });
        return z.NEVER;
      }
    })
    .meta({ examples: [example] });
}

/** Text that is already canonical when it matches `pattern`. */
function matching(pattern: Pick<RegExp, 'test'>, problem: string, example: string) {
  return canonical((value) => check(value, pattern.test(value)), problem, example);
}

function check(value: string, good: boolean): string {
  if (!good) throw new Error(value);
  return value;
}

export const address = canonical(
  (text) => {
    const { family, value } = parseAddress(text);
    return formatAddress(family, value);
  },
  'is not an IP address',
  '5.5.5.1',
);

export const prefix = z
  .string()
  .transform((text, context) => {
    try {
      return formatPrefix(parsePrefix(text));
    } catch (error) {
      const problem =
        error instanceof Error && error.message.startsWith('has bits') ? error.message : 'is not a prefix';
      context.addIssue({ code: 'custom', message: `${shown(text)} ${problem}; use e.g. 5.5.5.0/24` });
      return z.NEVER;
    }
  })
  .meta({ examples: ['5.5.5.0/24', 'fd00:5::/64'] });

/** MAC of one station, in lower case. Groups and the all-zero address belong to nobody. */
export const stationMac = canonical(
  (text) => {
    const bytes = addr.parseMac(text);
    check(text, (bytes[0] & 1) === 0 && bytes.some((byte) => byte !== 0));
    return addr.formatMac(bytes);
  },
  'is not the MAC address of a station',
  '02:00:00:00:00:01',
);

export const uuid = canonical(
  (text) => check(text.toLowerCase(), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)),
  'is not a UUID',
  'f8659136-1178-4a5c-9d3e-0c1b2a394857',
);

/** One part of a name. */
export const namePart = matching(NAME_PART, 'is not a name (no blanks, no `:` or `/`, at most 255 characters)', 'blue');

/** A short or full name; the document's own domain and project complete it later. */
export const reference = matching(
  { test: (text: string) => splitName(text, DEFAULT_SCOPE) !== undefined },
  'is not a name (NAME or DOMAIN:PROJECT:NAME)',
  'blue',
);

/** Device name the kernel takes: 15 bytes (IFNAMSIZ less its end mark), none of its special characters. */
export const deviceName = matching(
  /^(?!\.{1,2}$)[^\s/:%\p{Cc}\u0080-\uffff]{1,15}$/u,
  'is not a device name (1 to 15 characters, no blanks, no `/`, `:` or `%`)',
  'tapf8659136-11',
);

/** Host and domain names (RFC 1123 section 2.1). */
export const dnsName = matching(
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i,
  'is not a host or domain name',
  'guest-1.example.net',
);

/** Name or path of a network namespace. */
export const netns = matching(
  /^(\/\S+|(?!\.{1,2}$)[^\s/\p{Cc}]{1,255})$/u,
  'is not the name or path of a network namespace',
  'guest1',
);

/** A user or group of the host, by name or number. */
export const account = z.union([
  matching(/^[a-z_][a-z0-9_-]{0,31}$/i, 'is not an account', 'libvirt-qemu'),
  z.int().min(0).max(0xfffffffe),
]);

/** Route targets in canonical text, each once. */
export const routeTargets = z
  .array(
    canonical(canonicalTarget, 'is not a route target (target:AS:NUMBER or target:ADDRESS:NUMBER)', 'target:65500:101'),
  )
  .default([])
  .transform((targets) => [...new Set(targets)]);
