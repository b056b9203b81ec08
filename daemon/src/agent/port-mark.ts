import { createHash } from 'node:crypto';
import type { Link } from './kernel.js';

const PREFIX = 'vrouterd:';

/**
 * Whose a device is, written into its alias: `vrouterd:OWNER:PORT`, and behind a space what the kind of port has to note. Several
 * daemons may have ports in one namespace; what bears another owner, or none, is somebody else's.
 */
export class PortMarks {
  readonly #own: string;

  /** `owner` is a text that no other daemon on this machine has, and this one has again when it is started again. */
  constructor(owner: string) {
    const digest = createHash('sha256').update(owner).digest('hex').slice(0, 8);
    this.#own = `${PREFIX}${digest}:`;
  }

  /** What the alias of everything made for a port begins with. */
  of(port: string): string {
    return this.#own + port;
  }

  /** The port of ours a device was made for; undefined: it is not ours. */
  portOf({ alias }: Link): string | undefined {
    return alias.startsWith(this.#own) ? alias.slice(this.#own.length).split(' ', 1)[0] : undefined;
  }

  /** What the alias says behind the mark. */
  noteOf({ alias }: Link): string {
    const space = alias.indexOf(' ');
    return space < 0 ? '' : alias.slice(space + 1);
  }

  isOurs(link: Link, port: string): boolean {
    return this.portOf(link) === port;
  }

  /** Returns the link if it is this port's, or undefined if there is none. Throws when its name is taken by somebody else. */
  claim(link: Link | undefined, port: string, netns?: string): Link | undefined {
    if (!link) return undefined;
    const owner = this.portOf(link);
    if (owner === port) return link;
    const place = `${link.name}${netns === undefined ? '' : ` in namespace ${netns}`}`;
    if (owner !== undefined)
      throw new Error(`${place} belongs to the port ${owner}; delete that one or choose another name`);
    const what = isMarked(link) ? 'belongs to another vrouterd' : 'exists and is not ours';
    throw new Error(`${place} ${what}; remove it or choose another name`);
  }
}

/** Whether a daemon, this one or another, has a device as its port's. */
export const isMarked = ({ alias }: Link): boolean => alias.startsWith(PREFIX);
