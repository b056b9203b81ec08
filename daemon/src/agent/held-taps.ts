import type { Kernel } from './kernel.js';

/** A TAP in a guest's namespace that this process holds. */
export interface HeldTap {
  readonly fd: number;
  readonly ifindex: number;
  /** The namespace it is in, whatever the namespace's file stands for by now. */
  readonly namespace: string | undefined;
  readonly vnetHeader: boolean;
  /** An rtnetlink socket of the namespace; keeps it alive, as `fd` does. */
  readonly routeSocket: number;
}

/** The TAPs this process holds, by port, and what the kernel dropped because they were read too late. */
export class HeldTaps {
  readonly #kernel: Pick<Kernel, 'closeFd' | 'sendDrops'>;
  readonly #taps = new Map<string, HeldTap>();
  /** Drops of a port's devices before the present one, and of that when last asked. */
  readonly #drops = new Map<string, { before: number; last: number }>();

  constructor(kernel: Pick<Kernel, 'closeFd' | 'sendDrops'>) {
    this.#kernel = kernel;
  }

  get(device: string): HeldTap | undefined {
    return this.#taps.get(device);
  }

  hold(device: string, tap: HeldTap): void {
    this.#taps.set(device, tap);
  }

  /** Closes what is held for a port, if anything is. */
  letGo(device: string): void {
    const tap = this.#taps.get(device);
    if (!tap) return;
    this.kernelDrops(device);
    this.#taps.delete(device);
    this.#kernel.closeFd(tap.routeSocket);
    this.#kernel.closeFd(tap.fd);
  }

  /** Closes what is held for a port that is no more. */
  forget(device: string): void {
    this.letGo(device);
    this.#drops.delete(device);
  }

  /** Frames that a port's TAP lost because its queue was full. Never less than before, whatever becomes of the device. */
  kernelDrops(device: string): number {
    const drops = this.#drops.get(device) ?? { before: 0, last: 0 };
    const now = this.#dropsNow(device);
    if (now !== undefined) {
      // The counter of a device that was made anew begins at 0.
      if (now < drops.last) drops.before += drops.last;
      drops.last = now;
      this.#drops.set(device, drops);
    }
    return drops.before + drops.last;
  }

  #dropsNow(device: string): number | undefined {
    const tap = this.#taps.get(device);
    try {
      return tap && this.#kernel.sendDrops(tap.routeSocket, tap.ifindex);
    } catch {
      // Somebody deleted the device.
      return undefined;
    }
  }
}
