import { type HostLease, type HostRoute, hostRouteKey } from './host-route.js';

/** So many are remembered; then it begins anew, so that names that come and go do not add up. */
const MOST = 100_000;

/** Strings and lists that many routes have in common, once: a hundred thousand routes name few networks. */
export class Shared {
  readonly #texts = new Map<string, string>();
  readonly #lists = new Map<string, readonly string[]>();

  text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= MOST) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  list(items: readonly string[]): readonly string[] {
    const name = items.join('\0');
    const known = this.#lists.get(name);
    if (known !== undefined) return known;
    const list = items.map((item) => this.text(item));
    if (this.#lists.size >= MOST) this.#lists.clear();
    this.#lists.set(name, list);
    return list;
  }
}

/** The route another host wrote under `key`; null: that is none. Fields we do not know are left out. */
export function parseRoute(key: string, text: string, shared: Shared): HostRoute | null {
  const given = parseObject(text);
  if (given === null) return null;
  const route = routeOf(given, shared);
  return route !== null && hostRouteKey(route) === key ? route : null;
}

function routeOf(given: Readonly<Record<string, unknown>>, shared: Shared): HostRoute | null {
  const { kind, network, label, vni, mac, prefix, preference, sequence, targets, groups } = given;
  if (typeof network !== 'string' || !isCount(label) || !isCount(vni)) return null;
  const reach = { network: shared.text(network), label, vni };
  if (kind === 'flood') return { kind, ...reach };
  if (!isCount(preference) || !isCount(sequence)) return null;
  if (kind === 'mac') return typeof mac === 'string' ? { kind, ...reach, preference, sequence, mac } : null;
  if (kind !== 'inet' || typeof prefix !== 'string') return null;
  if (mac !== null && typeof mac !== 'string') return null;
  if (!isTexts(targets) || !isTexts(groups)) return null;
  const lists = { targets: shared.list(targets), groups: shared.list(groups) };
  return { kind, ...reach, preference, sequence, prefix, mac, ...lists };
}

/** What a host says of itself under its name; null: that is not it. */
export function parseLease(name: string, text: string): HostLease | null {
  const given = parseObject(text);
  if (given === null) return null;
  const { tunnelAddress, encapsulations, version, incarnation } = given;
  if (given.name !== name || typeof tunnelAddress !== 'string' || !isTexts(encapsulations)) return null;
  if (typeof version !== 'string' || typeof incarnation !== 'string') return null;
  const known = encapsulations as HostLease['encapsulations'];
  return { name, tunnelAddress, encapsulations: known, version, incarnation };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** Whether nobody could tell the two apart. */
export function sameRoute(a: HostRoute, b: HostRoute): boolean {
  if (a.kind !== b.kind || a.label !== b.label || a.vni !== b.vni || a.network !== b.network) return false;
  if (a.kind === 'flood' || b.kind === 'flood') return true;
  if (a.preference !== b.preference || a.sequence !== b.sequence || a.mac !== b.mac) return false;
  if (a.kind === 'mac' || b.kind === 'mac') return true;
  return a.prefix === b.prefix && sameTexts(a.targets, b.targets) && sameTexts(a.groups, b.groups);
}

export function sameLease(a: HostLease, b: HostLease): boolean {
  if (a.tunnelAddress !== b.tunnelAddress || a.version !== b.version || a.incarnation !== b.incarnation) return false;
  return a.name === b.name && sameTexts(a.encapsulations, b.encapsulations);
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((text, i) => text === b[i]));
