import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Choices } from '../engine/choices.js';
import type { Target } from '../engine/target.js';
import { hasOwnNetwork, loadPacketIo, loadTuntap2 } from './addons.js';
import { Boundary } from './boundary.js';
import { harmlessCalls, networkCalls } from './calls.js';
import { Devices } from './devices.js';
import { exchange } from './exchange.js';

/** Calls of one input at most. */
const CALLS = 64;
/** Runs between two collections of what they left to the garbage collector. */
const RUNS_PER_COLLECTION = 32;

/** The functions of the native parts, called in any order with any arguments. */
export function nativeTarget(): Target {
  const addons = { packetIo: loadPacketIo(), tuntap2: loadTuntap2() };
  const ownNetwork = hasOwnNetwork();
  let runs = 0;
  return {
    name: 'native',
    about: 'packet-io and tuntap2 with any arguments in any order: they answer or throw, and frames stay in the arena',
    longest: 600,
    seeds: () => [
      new Uint8Array(60),
      ...Array.from({ length: 40 }, (_, i) => Uint8Array.from({ length: 200 }, (_, k) => (i * 131 + k * 7919) >>> 3)),
    ],
    async run(input, observe) {
      const folder = mkdtempSync(join(tmpdir(), 'vrouterd-fuzz-'));
      const boundary = new Boundary(new Choices(input), addons, observe);
      try {
        callAll(boundary, folder, ownNetwork);
        // The loop calls back for what is watched, and lets go of what is not any more.
        await setImmediate();
      } finally {
        boundary.end();
        await setImmediate();
        rmSync(folder, { recursive: true });
      }
      if (++runs % RUNS_PER_COLLECTION === 0) globalThis.gc?.();
    },
  };
}

function callAll(boundary: Boundary, folder: string, ownNetwork: boolean): void {
  const { choices } = boundary;
  const devices = new Devices(boundary).actions;
  const harmless = harmlessCalls(boundary, folder);
  const network = ownNetwork ? networkCalls(boundary) : harmless;
  const exchanges = [
    () => {
      exchange(boundary, ownNetwork);
    },
  ];
  const groups = [devices, devices, devices, harmless, harmless, network, network, exchanges];
  for (let n = 0; n < CALLS && !choices.done; n++) choices.pick(choices.pick(groups))();
}
