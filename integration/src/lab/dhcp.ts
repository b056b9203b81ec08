import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** What a DHCP server told a guest, by the names udhcpc hands to its script (`ip`, `mask`, `router`, `serverid`, ...). */
export type Lease = Readonly<Record<string, string>>;

/** What udhcpc calls to configure an interface; it writes what it was told to the file `LEASE_FILE` names. */
export const UDHCPC_SCRIPT = fileURLToPath(new URL('../../../scripts/udhcpc.script', import.meta.url));

export async function leaseFrom(file: string): Promise<Lease> {
  const lease: Record<string, string> = {};
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) lease[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return lease;
}
