/** Autonomous system the targets that nobody configured are in: the first of those for private use (RFC 6996 section 5). */
const PRIVATE_AS = 64_512;
/** The number of a network follows this one, so that what users choose below is not met by chance. */
const FIRST_AUTOMATIC = 8_000_000;

/** The route target every network has: its routes are exported with it, and it imports those that have it. */
export function automaticTarget(networkId: number): string {
  return `target:${PRIVATE_AS}:${FIRST_AUTOMATIC + networkId}`;
}

/**
 * The canonical text of a route target, `target:AS:NUMBER` or `target:ADDRESS:NUMBER` (RFC 4360 section 4, RFC 5668). With an AS
 * number of two bytes the number has four, with an AS number of four bytes or an IPv4 address it has two. Throws.
 */
export function canonicalTarget(text: string): string {
  const match = /^target:([0-9.]+):([0-9]{1,10})$/.exec(text);
  if (!match) throw new Error('is not a route target');
  const [, administrator, number] = match;
  const isAddress = administrator.includes('.');
  const who = isAddress ? address(administrator) : asNumber(administrator);
  const isShort = !isAddress && Number(who) <= 0xffff;
  return `target:${who}:${within(number, 0, isShort ? 0xffff_ffff : 0xffff)}`;
}

function address(text: string): string {
  const bytes = text.split('.');
  if (bytes.length !== 4 || bytes.some((byte) => !/^[0-9]{1,3}$/.test(byte))) throw new Error('is not an IPv4 address');
  return bytes.map((byte) => within(byte, 0, 255)).join('.');
}

function asNumber(text: string): string {
  if (text.length > 10) throw new Error('is not an AS number');
  return within(text, 1, 0xffff_ffff);
}

function within(text: string, min: number, max: number): string {
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new Error(`is not from ${min} to ${max}`);
  return String(value);
}
