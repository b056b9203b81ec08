import { closeFd, openPacketSocket } from 'packet-io';
import type { OpenPort } from './agent/ports.js';
import type { RealiserParts } from './agent/realiser.js';
import type { PortHandle } from './datapath/commands.js';
import type { Tables } from './tables/tables.js';
import type { WorkerHost } from './worker-host.js';

/** How the worker gets the ports of interfaces. */
export function portsOf(host: WorkerHost, tables: Tables): RealiserParts['datapath'] {
  return {
    open: (vif, port) => {
      const handle = handleOf(vif, port);
      return () => attach(handle, host, tables);
    },
    detach: (vif) => {
      host.detach(vif);
    },
    discard: (port) => {
      if (port.kind === 'tap') closeFd(port.fd);
    },
  };
}

/** Opens what a port needs to be read by the worker. */
function handleOf(vif: number, port: OpenPort): PortHandle {
  const { vnetHeader } = port;
  if (port.kind === 'tap') return { vif, device: 'tap', fd: port.fd, vnetHeader };
  return { vif, device: 'packet', fd: openPacketSocket(port.ifindex, { vnetHeader, ring: true }), vnetHeader };
}

function attach(handle: PortHandle, host: WorkerHost, tables: Tables): void {
  // Dry runs cut and finish frames for the port as the worker does.
  const known = tables.vifs.get(handle.vif);
  if (known) known.offloads = handle.vnetHeader;
  host.attach(handle);
}
