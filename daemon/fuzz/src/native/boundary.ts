import type { Choices } from '../engine/choices.js';
import { must } from '../engine/target.js';
import type { Addon } from './addons.js';
import { GETTER_ERROR } from './values.js';

export type FdKind = 'pair' | 'event' | 'file' | 'netlink' | 'route' | 'packet' | 'tap';

/** A descriptor the run opened. */
export interface OpenFd {
  readonly fd: number;
  readonly kind: FdKind;
  /** Devices and watches that rely on it: it must not be closed. */
  users: number;
}

/** What one run has open on both sides of the boundary, and the only way it calls across. */
export class Boundary {
  readonly choices: Choices;
  readonly packetIo: Addon;
  readonly tuntap2: Addon;
  readonly fds: OpenFd[] = [];
  /** How to end what was begun and must not outlive the run, in order. */
  readonly endings: (() => void)[] = [];
  readonly #observe: (outcome: string) => void;

  constructor(choices: Choices, addons: { packetIo: Addon; tuntap2: Addon }, observe: (outcome: string) => void) {
    this.choices = choices;
    this.packetIo = addons.packetIo;
    this.tuntap2 = addons.tuntap2;
    this.#observe = observe;
  }

  /** Calls a function of an addon. Undefined when it refused: with a TypeError, or as the kernel did. */
  call(addon: Addon, name: string, ...args: readonly unknown[]): unknown {
    return this.attempt(name, () => addon[name](...args));
  }

  attempt<T>(name: string, run: () => T): T | undefined {
    try {
      const result = run();
      this.#observe(`${name} done`);
      return result;
    } catch (error) {
      if (error === GETTER_ERROR) return undefined;
      must(error instanceof Error, () => `${name} throws ${String(error)}`);
      const { code, errno, syscall } = error as NodeJS.ErrnoException;
      const refused =
        typeof code === 'string' && (code.startsWith('ERR_INVALID_ARG') || (typeof errno === 'number' && errno < 0));
      must(refused, () => `${name} throws ${error.stack ?? ''}`);
      must(
        error instanceof TypeError || typeof syscall === 'string',
        () => `${name} throws without syscall: ${error.message}`,
      );
      this.#observe(`${name} ${code}`);
      return undefined;
    }
  }

  readonly note = (outcome: string): void => {
    this.#observe(outcome);
  };

  opened(fd: unknown, kind: FdKind): void {
    if (typeof fd === 'number') this.fds.push({ fd, kind, users: 0 });
  }

  /** One of the open descriptors of these kinds, or of any; undefined: there is none. */
  chooseFd(...kinds: readonly FdKind[]): OpenFd | undefined {
    const fitting = kinds.length === 0 ? this.fds : this.fds.filter(({ kind }) => kinds.includes(kind));
    return fitting.length === 0 ? undefined : this.choices.pick(fitting);
  }

  closeFd(open: OpenFd, how: string): void {
    if (open.users > 0) return;
    this.fds.splice(this.fds.indexOf(open), 1);
    this.call(this.packetIo, how, open.fd);
  }

  /** Ends everything. */
  end(): void {
    for (const ending of this.endings.splice(0)) ending();
    for (const { fd } of this.fds.splice(0)) this.packetIo.closeFd(fd);
  }
}
