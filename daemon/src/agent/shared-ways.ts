import type { Underlay, Way } from './way.js';

/** Lets several follow ways on the underlay, each its own addresses. */
export class SharedWays {
  readonly #underlay: Pick<Underlay, 'wayTo' | 'follow'>;
  readonly #wanted: ReadonlySet<string>[] = [];

  constructor(underlay: Pick<Underlay, 'wayTo' | 'follow'>) {
    this.#underlay = underlay;
  }

  /** The underlay for one more. */
  share(): Pick<Underlay, 'wayTo' | 'follow'> {
    const place = this.#wanted.push(new Set()) - 1;
    return {
      wayTo: (address): Way | null => this.#underlay.wayTo(address),
      follow: (addresses): void => {
        this.#wanted[place] = new Set(addresses);
        this.#underlay.follow(new Set(this.#wanted.flatMap((own) => [...own])));
      },
    };
  }
}
