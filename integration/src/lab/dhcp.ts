import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a DHCP server told a guest, by the names udhcpc hands to its script (`ip`, `mask`, `router`, `serverid`, ...). */
export type Lease = Readonly<Record<string, string>>;

/** udhcpc calls it for every event; it configures the interface as a distribution's script would and keeps what it was told. */
const SCRIPT = `#!/bin/sh
case "$1" in
deconfig)
  ip -4 address flush dev "$interface"
  ip link set "$interface" up
  ;;
bound | renew)
  [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
  ip -4 address flush dev "$interface"
  ip address add "$ip/$mask" broadcast "\${broadcast:-+}" dev "$interface"
  if [ -n "$staticroutes" ]; then
    set -- $staticroutes
    while [ $# -ge 2 ]; do
      if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"
      else ip route replace "$1" via "$2" dev "$interface"; fi
      shift 2
    done
  else
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; done
  fi
  env > "$LEASE_FILE"
  ;;
esac
`;

/** Puts the script into a directory; returns its path. */
export async function scriptFor(directory: string): Promise<string> {
  const path = join(directory, 'udhcpc.script');
  await writeFile(path, SCRIPT, { mode: 0o755 });
  return path;
}

export async function leaseFrom(file: string): Promise<Lease> {
  const lease: Record<string, string> = {};
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) lease[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return lease;
}
