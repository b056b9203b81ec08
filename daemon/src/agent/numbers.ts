/** Numbers of one kind: which are in use, and which comes next. */
export interface Numbers {
  /** The number to take next; at or above the end of the range: none is left. */
  next(): number;
  take(id: number): void;
  giveBack(id: number): void;
  /** What is to be known besides the numbers in use, as JSON; undefined: nothing. */
  save(): unknown;
  load(saved: unknown): void;
}

/** The lowest free number comes next. */
export class LowestFirst implements Numbers {
  readonly #taken = new Set<number>();
  /** No number below this one is free. */
  #from: number;

  constructor(first: number) {
    this.#from = first;
  }

  next(): number {
    while (this.#taken.has(this.#from)) this.#from++;
    return this.#from;
  }

  take(id: number): void {
    this.#taken.add(id);
  }

  giveBack(id: number): void {
    this.#taken.delete(id);
    this.#from = Math.min(this.#from, id);
  }

  save(): undefined {
    return undefined;
  }

  load(): void {
    // Nothing was saved.
  }
}

/** How many of the numbers given back last are not given again while others are free. */
const RESTING = 16_384;

/** What `save` gives. */
interface Saved {
  readonly after: number;
  readonly resting: readonly number[];
}

/**
 * The number after the one given last comes next, round and round, and those given back last rest: they are given again only
 * when nothing else is left, the one that has rested longest first. So a number means nothing for as long as possible before it
 * means something else.
 */
export class LastFirst implements Numbers {
  readonly #first: number;
  readonly #end: number;
  readonly #taken = new Set<number>();
  /** In the order in which they were given back. */
  readonly #resting = new Set<number>();
  /** The number given last. */
  #after: number;

  constructor(first: number, end: number) {
    this.#first = first;
    this.#end = end;
    this.#after = end - 1;
  }

  next(): number {
    const size = this.#end - this.#first;
    if (this.#taken.size >= size) return this.#end;
    if (this.#taken.size + this.#resting.size >= size) return this.#resting.values().next().value ?? this.#end;
    let id = this.#after;
    do id = id + 1 < this.#end ? id + 1 : this.#first;
    while (this.#taken.has(id) || this.#resting.has(id));
    return id;
  }

  take(id: number): void {
    this.#resting.delete(id);
    this.#taken.add(id);
    this.#after = id;
  }

  giveBack(id: number): void {
    this.#taken.delete(id);
    this.#rest(id);
  }

  save(): Saved | undefined {
    const isNew = this.#taken.size === 0 && this.#resting.size === 0 && this.#after === this.#end - 1;
    return isNew ? undefined : { after: this.#after, resting: [...this.#resting] };
  }

  load(saved: unknown): void {
    const { after, resting } = saved as Saved;
    for (const id of resting) this.#rest(id);
    this.#after = after;
  }

  #rest(id: number): void {
    this.#resting.add(id);
    for (const oldest of this.#resting) {
      if (this.#resting.size <= RESTING) return;
      this.#resting.delete(oldest);
    }
  }
}
