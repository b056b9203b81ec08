import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The raw functions of a native part: whatever is passed, they must answer or throw. */
export type Addon = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

/** Where the native parts were built: scripts/fuzz names the folder of those with sanitizers. */
const FOLDER = process.env.VROUTERD_FUZZ_NATIVE ?? fileURLToPath(new URL('../../../../native-shims', import.meta.url));

const load = createRequire(import.meta.url);

export const loadPacketIo = (): Addon => load(join(FOLDER, 'packet-io/build/Release/packet_io.node')) as Addon;
export const loadTuntap2 = (): Addon => load(join(FOLDER, 'tuntap2/build/Release/tuntap2.node')) as Addon;

/** Whether this process is in the namespace that was made for it, in which nothing can be broken: scripts/fuzz names it. */
export function hasOwnNetwork(): boolean {
  const name = process.env.VROUTERD_FUZZ_NETNS;
  if (name === undefined) return false;
  return statSync(`/run/netns/${name}`).ino === statSync('/proc/self/ns/net').ino;
}
