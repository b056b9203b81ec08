import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { LastFirst, LowestFirst, type Numbers } from './numbers.js';

/** Numbers that must be the same after a restart; each kind has a numbering of its own. */
const ID_KINDS = ['vif', 'vrf', 'nexthop', 'acl', 'group', 'label', 'mirror'] as const;
export type IdKind = (typeof ID_KINDS)[number];

/** Numbers of a kind: from `first` to below `end`. */
export interface IdRange {
  readonly first: number;
  readonly end: number;
}

interface Numbering {
  readonly range: IdRange;
  readonly ids: Map<string, number>;
  readonly numbers: Numbers;
}

/** One line of the file: a number given, or given back; or what else is to be known of the numbers of a kind. */
interface Line {
  readonly kind: IdKind;
  readonly key: string;
  readonly id: number | null;
  readonly numbers?: unknown;
}

/** Lines of the file before it is rewritten, besides twice the numbers in use. */
const LINES_TO_SPARE = 1_000;

/**
 * Gives each object a number and remembers it in a file, one line a change, written before the number is used. A number given
 * back is the first to be given again; but a label, which other hosts may go on sending to, is the last.
 */
export class Ids {
  readonly #file: string;
  readonly #numberings: ReadonlyMap<IdKind, Numbering>;
  /** In the file. */
  #lines = 0;
  #inUse = 0;

  /**
   * @param file is made when absent; what a killed daemon left of its last line is ignored.
   * @param ranges the numbers of each kind.
   */
  constructor(file: string, ranges: Readonly<Record<IdKind, IdRange>>) {
    this.#file = file;
    this.#numberings = new Map(
      ID_KINDS.map((kind) => {
        const { first, end } = ranges[kind];
        const numbers = kind === 'label' ? new LastFirst(first, end) : new LowestFirst(first);
        return [kind, { range: ranges[kind], ids: new Map(), numbers }];
      }),
    );
    if (existsSync(file)) for (const line of readFileSync(file, 'utf8').split('\n')) this.#replay(line);
    this.#compact();
  }

  /** The number of `key`, given now if it has none. Throws when none is left. */
  get(kind: IdKind, key: string): number {
    const { ids, range, numbers } = this.#of(kind);
    const known = ids.get(key);
    if (known !== undefined) return known;
    const id = numbers.next();
    if (id >= range.end)
      throw new Error(
        `all ${range.end - range.first} ${kind} numbers of this host are in use; delete what is not needed`,
      );
    this.#write({ kind, key, id });
    return id;
  }

  /** The number of `key`, if it has one. */
  find(kind: IdKind, key: string): number | undefined {
    return this.#of(kind).ids.get(key);
  }

  /** Gives the number of `key` back. */
  release(kind: IdKind, key: string): void {
    if (this.#of(kind).ids.has(key)) this.#write({ kind, key, id: null });
  }

  /** Keys that have a number of this kind. */
  keys(kind: IdKind): string[] {
    return [...this.#of(kind).ids.keys()];
  }

  #of(kind: IdKind): Numbering {
    const numbering = this.#numberings.get(kind);
    if (!numbering) throw new Error(`no numbers of kind ${kind}`);
    return numbering;
  }

  #write(line: Line): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
    this.#take(line);
    this.#lines++;
    if (this.#lines > 2 * this.#inUse + LINES_TO_SPARE) this.#compact();
  }

  #replay(text: string): void {
    try {
      this.#take(JSON.parse(text) as Line);
    } catch {
      // The last line of a daemon that was killed while it wrote: nothing used that number yet.
    }
  }

  #take({ kind, key, id, numbers: saved }: Line): void {
    const { ids, numbers } = this.#of(kind);
    if (saved !== undefined) return numbers.load(saved);
    const before = ids.get(key);
    if (before !== undefined) {
      numbers.giveBack(before);
      this.#inUse--;
    }
    if (id === null) {
      ids.delete(key);
    } else {
      ids.set(key, id);
      numbers.take(id);
      this.#inUse++;
    }
  }

  /** Rewrites the file without what was given back, so that it does not grow over the years. */
  #compact(): void {
    const lines: string[] = [];
    for (const [kind, { ids, numbers }] of this.#numberings) {
      for (const [key, id] of ids) lines.push(`${JSON.stringify({ kind, key, id })}\n`);
      const saved = numbers.save();
      if (saved !== undefined) lines.push(`${JSON.stringify({ kind, key: '', id: null, numbers: saved })}\n`);
    }
    writeFileSync(`${this.#file}.new`, lines.join(''));
    renameSync(`${this.#file}.new`, this.#file);
    this.#lines = lines.length;
  }
}
