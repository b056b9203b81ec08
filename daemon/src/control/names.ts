import { createHash } from 'node:crypto';

/** Where a short name is looked up. */
export interface Scope {
  readonly domain: string;
  readonly project: string;
}

export const DEFAULT_SCOPE: Scope = { domain: 'default-domain', project: 'default-project' };

/** One part of a name: no colon (it separates parts), slash (it separates kind and name), blank or control character. */
export const NAME_PART = /^[^\s:/\p{Cc}]{1,255}$/u;

/** Name space of our UUIDs (RFC 4122 section 4.3). Chosen once at random; another value would rename every device. */
const UUID_NAMESPACE = '1b019955-c7eb-4ff8-8e61-7305b9399ebc';

/** The name everybody uses for an object: `domain:project:name`. */
export function fullName(of: Scope & { readonly name: string }): string {
  return `${of.domain}:${of.project}:${of.name}`;
}

/** Splits a short name (looked up in `scope`) or a full one. Undefined: neither. */
export function splitName(text: string, scope: Scope): (Scope & { readonly name: string }) | undefined {
  const parts = text.split(':');
  if (!parts.every((part) => NAME_PART.test(part))) return undefined;
  if (parts.length === 1) return { ...scope, name: text };
  if (parts.length === 3) return { domain: parts[0], project: parts[1], name: parts[2] };
  return undefined;
}

/** UUID of an object that was not given one: version 5, of its kind and full name, so that it comes back the same. */
export function uuidOf(kind: string, name: string): string {
  const namespace = Buffer.from(UUID_NAMESPACE.replaceAll('-', ''), 'hex');
  const hash = createHash('sha1').update(namespace).update(`${kind}/${name}`).digest();
  hash[6] = (hash[6] & 0x0f) | 0x50; // version 5
  hash[8] = (hash[8] & 0x3f) | 0x80; // variant of RFC 4122
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** MAC of what was not given one: 02 (locally administered), then the first five bytes of its UUID or of another hash. */
export function defaultMac(uuid: string): string {
  const digits = uuid.replaceAll('-', '').slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':');
}

/** Device of an interface that was not given one: `tap` and the first 11 characters of its UUID, 14 in all. */
export function defaultDevice(uuid: string): string {
  return `tap${uuid.slice(0, 11)}`;
}

/** A full name as people write it: without domain and project where they are the default. */
export function shortName(name: string): string {
  const scope = `${DEFAULT_SCOPE.domain}:${DEFAULT_SCOPE.project}:`;
  return name.startsWith(scope) ? name.slice(scope.length) : name;
}
