import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Numbers that must be the same after a restart; each kind has a numbering of its own. */
export type IdKind = 'vif' | 'vrf' | 'nexthop' | 'acl' | 'group';

/** Numbers of a kind: from `first` to below `end`. */
export interface IdRange {
  readonly first: number;
  readonly end: number;
}

interface Numbering {
  readonly range: IdRange;
  readonly ids: Map<string, number>;
  readonly taken: Set<number>;
}

/** One line of the file: a number given, or given back. */
interface Line {
  readonly kind: IdKind;
  readonly key: string;
  readonly id: number | null;
}

/** Lines of the file before it is rewritten, besides twice the numbers in use. */
const LINES_TO_SPARE = 1_000;

/**
 * Gives each object a number and remembers it in a file, one line a change, written before the number is used. A number given
 * back is the first to be given again.
 */
export class Ids {
  readonly #file: string;
  readonly #numberings: Record<IdKind, Numbering>;
  /** In the file. */
  #lines = 0;

  /**
   * @param file is made when absent; what a killed daemon left of its last line is ignored.
   * @param ranges the numbers of each kind.
   */
  constructor(file: string, ranges: Readonly<Record<IdKind, IdRange>>) {
    this.#file = file;
    const numbering = (kind: IdKind): Numbering => ({ range: ranges[kind], ids: new Map(), taken: new Set() });
    this.#numberings = {
      vif: numbering('vif'),
      vrf: numbering('vrf'),
      nexthop: numbering('nexthop'),
      acl: numbering('acl'),
      group: numbering('group'),
    };
    if (existsSync(file)) for (const line of readFileSync(file, 'utf8').split('\n')) this.#replay(line);
    this.#compact();
  }

  /** The number of `key`, given now if it has none. Throws when none is left. */
  get(kind: IdKind, key: string): number {
    const numbering = this.#numberings[kind];
    const known = numbering.ids.get(key);
    if (known !== undefined) return known;
    const { first, end } = numbering.range;
    let id = first;
    while (numbering.taken.has(id)) id++;
    if (id >= end)
      throw new Error(`all ${end - first} ${kind} numbers of this host are in use; delete what is not needed`);
    this.#write({ kind, key, id });
    return id;
  }

  /** Gives the number of `key` back. */
  release(kind: IdKind, key: string): void {
    if (this.#numberings[kind].ids.has(key)) this.#write({ kind, key, id: null });
  }

  /** Keys that have a number of this kind. */
  keys(kind: IdKind): string[] {
    return [...this.#numberings[kind].ids.keys()];
  }

  #write(line: Line): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
    this.#take(line);
    this.#lines++;
    const inUse = Object.values(this.#numberings).reduce((sum, { ids }) => sum + ids.size, 0);
    if (this.#lines > 2 * inUse + LINES_TO_SPARE) this.#compact();
  }

  #replay(text: string): void {
    try {
      this.#take(JSON.parse(text) as Line);
    } catch {
      // The last line of a daemon that was killed while it wrote: nothing used that number yet.
    }
  }

  #take({ kind, key, id }: Line): void {
    const { ids, taken } = this.#numberings[kind];
    const before = ids.get(key);
    if (before !== undefined) taken.delete(before);
    if (id === null) {
      ids.delete(key);
    } else {
      ids.set(key, id);
      taken.add(id);
    }
  }

  /** Rewrites the file without what was given back, so that it does not grow over the years. */
  #compact(): void {
    const lines = Object.entries(this.#numberings).flatMap(([kind, { ids }]) =>
      [...ids].map(([key, id]) => `${JSON.stringify({ kind, key, id })}\n`),
    );
    writeFileSync(`${this.#file}.new`, lines.join(''));
    renameSync(`${this.#file}.new`, this.#file);
    this.#lines = lines.length;
  }
}
