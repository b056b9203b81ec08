/**
 * Keeps the host's own stack away from a guest's frames. A frame that arrives at a port's device is first copied to the daemon's
 * packet socket; behind that an ingress chain of nftables drops it, so that the host neither answers nor forwards it. The host
 * sends nothing of its own either: the device has no address, and IPv6 is off.
 *
 * There is one chain a device in the table `netdev vrouterd` of the daemon's namespace: adding one that is there changes nothing,
 * so what a killed daemon left behind is taken over as it is.
 */
import type { Run } from './command.js';

const TABLE = { family: 'netdev', name: 'vrouterd' } as const;
const chainOf = (device: string) => ({ family: TABLE.family, table: TABLE.name, name: device });

/** Drops every frame that arrives at these devices behind the packet sockets. Rejects when one of them does not exist. */
export async function dropIngress(devices: readonly string[], run: Run): Promise<void> {
  if (devices.length === 0) return;
  const hook = { type: 'filter', hook: 'ingress', prio: -500, policy: 'drop' };
  await nft(run, [
    { add: { table: TABLE } },
    ...devices.map((dev) => ({ add: { chain: { ...chainOf(dev), ...hook, dev } } })),
  ]);
}

/** Takes the chains of these devices back, whether or not the devices or the chains exist; with the last one goes the table. */
export async function allowIngress(devices: readonly string[], run: Run): Promise<void> {
  if (devices.length === 0) return;
  await nft(run, [
    { add: { table: TABLE } },
    ...devices.flatMap((device) => [{ add: { chain: chainOf(device) } }, { delete: { chain: chainOf(device) } }]),
  ]);
  const listing = await nft(run, [{ list: { table: TABLE } }]);
  const { nftables } = JSON.parse(listing) as { nftables: readonly Readonly<Record<string, unknown>>[] };
  if (!nftables.some((item) => 'chain' in item)) await nft(run, [{ delete: { table: TABLE } }]);
}

async function nft(run: Run, commands: readonly unknown[]): Promise<string> {
  // In JSON, as the grammar of nft's own language has no way to quote the name of a chain.
  const { code, stdout, stderr } = await run(['nft', '-j', '-f', '-'], JSON.stringify({ nftables: commands }));
  if (code !== 0) throw new Error(`nft: ${stderr.trim() || `exit code ${code}`}`);
  return stdout;
}
