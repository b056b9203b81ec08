/**
 * Keeps the host's own stack away from a guest's frames. A frame that arrives at a port's device is first copied to the daemon's
 * packet socket; behind that an ingress chain of nftables drops it, so that the host neither answers nor forwards it. The host
 * sends nothing of its own either: the device has no address, and IPv6 is off.
 *
 * There is one chain a device in the table `netdev vrouterd` of the daemon's namespace: adding one that is there changes nothing,
 * so what a killed daemon left behind is taken over as it is.
 */
import type { Run } from './command.js';

/** Where the chains of all devices are. */
export const TABLE = 'netdev vrouterd';

/** Drops every frame that arrives at these devices behind the packet sockets. Rejects when one of them does not exist. */
export async function dropIngress(devices: readonly string[], run: Run): Promise<void> {
  if (devices.length === 0) return;
  await nft(run, [
    `add table ${TABLE}`,
    ...devices.map(
      (device) =>
        `add chain ${chainOf(device)} { type filter hook ingress device "${device}" priority -500; policy drop; }`,
    ),
  ]);
}

/** Takes the chains of these devices back, whether or not the devices or the chains exist; with the last one goes the table. */
export function allowIngress(devices: readonly string[], run: Run): Promise<void> {
  return removeChains(devices.map(chainOf), run);
}

/** Deletes chains, whether or not they exist; with the last one goes the table. */
export async function removeChains(chains: readonly string[], run: Run): Promise<void> {
  if (chains.length === 0) return;
  const left = await nft(run, [
    `add table ${TABLE}`,
    // Deleting what does not exist is an error, adding what does is none.
    ...chains.flatMap((chain) => [`add chain ${chain}`, `delete chain ${chain}`]),
    `list table ${TABLE}`,
  ]);
  if (!/\bchain\b/.test(left)) await nft(run, [`delete table ${TABLE}`]);
}

const chainOf = (device: string): string => chainName('port', device);

/** A chain with its table. Names begin with a letter, and hold no more than letters, digits and `/ _ . -`. */
export function chainName(kind: 'port' | 'underlay', what: string): string {
  const escaped = what.replace(/[^\w.-]/g, (character) => `/${character.charCodeAt(0).toString(16)}`);
  return `${TABLE} ${kind}-${escaped}`;
}

/** Carries commands out as one transaction; returns what they list. Throws what nft refuses. */
export async function nft(run: Run, commands: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(['nft', '-f', '-'], commands.map((command) => `${command}\n`).join(''));
  if (code !== 0) throw new Error(`nft: ${stderr.trim() || `exit code ${code}`}`);
  return stdout;
}
