import type { Attach } from '../control/virtual-machine-interface.js';
import {
  NO_COMMANDS,
  type PlanParts,
  type PortPlan,
  type PortSpec,
  deleteLink,
  packetPort,
  setAlias,
  setMtu,
  setUp,
} from './port-plan.js';

/** A TAP with its accounts as numbers. */
export type TapAttach = Omit<Extract<Attach, { type: 'tap' }>, 'owner' | 'group'> & {
  readonly owner: number | undefined;
  readonly group: number | undefined;
};

/**
 * A persistent TAP for a hypervisor to open, whose other side is a packet socket of ours. We hold a descriptor only while it is
 * made. Queues, owner and group cannot all be changed later: then it is made anew, unless a hypervisor has it open.
 */
export function planTap(spec: PortSpec, attach: TapAttach, { seen, kernel, marks }: PlanParts): PortPlan {
  const { device, mtu } = spec;
  const { owner, group, offloads: vnetHeader } = attach;
  const multiQueue = (attach.queues ?? 1) > 1;
  const alias = `${marks.of(device)} ${multiQueue ? 'multi' : 'single'} ${owner ?? '-'} ${group ?? '-'}`;
  const found = marks.claim(seen.host.get(device), device);
  const kept = found?.kind === 'tun' && found.alias === alias ? found : undefined;
  if (found?.kind === 'tun' && found.carrier && !kept)
    throw new Error(`${device} is open in a hypervisor; stop that to change queues, owner or group`);

  let fd: number | undefined;
  const close = (): void => {
    if (fd !== undefined) kernel.closeFd(fd);
    fd = undefined;
  };
  return {
    spec,
    sweep: found && !kept ? { host: [deleteLink(device)], guest: [] } : NO_COMMANDS,
    open() {
      if (kept) return;
      const access = { ...(owner === undefined ? {} : { owner }), ...(group === undefined ? {} : { group }) };
      ({ fd } = kernel.openTap({ name: device, vnetHeader, multiQueue, ...access }));
    },
    make: [...(kept ? [] : [setAlias(device, alias)]), ...setMtu(kept, device, mtu)],
    isolate: device,
    settle() {
      // Not before it bears our mark: a daemon that dies earlier leaves nothing behind.
      if (fd !== undefined) kernel.setPersist(fd, true);
      close();
    },
    raise: setUp(kept, device),
    netns: null,
    configure: [],
    finish: (host) => packetPort(host, device, vnetHeader),
    abandon() {
      close();
      return kept ? NO_COMMANDS : { host: [deleteLink(device)], guest: [] };
    },
  };
}
