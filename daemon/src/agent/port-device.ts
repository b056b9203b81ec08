import type { Attach } from '../control/virtual-machine-interface.js';
import { type Words, canBeGivenToIp } from './ip-batch.js';
import type { Kernel, Link } from './kernel.js';
import { type PortMarks, isMarked } from './port-mark.js';
import {
  NO_COMMANDS,
  type PlanParts,
  type PortPlan,
  type PortSpec,
  nothing,
  packetPort,
  setAlias,
  setMtu,
  setUp,
} from './port-plan.js';

type DeviceAttach = Extract<Attach, { type: 'device' }>;

/** netdevice(7). */
const IFF_LOOPBACK = 0x8;
/** Longest alias the kernel keeps, in bytes. */
const ALIAS_MAX = 255;

/**
 * An interface that is there already, say one end of a veth. Nothing is made; what is changed on it is written into its alias, so
 * that it is given back as it was even by another run of the daemon.
 */
export function planDevice(
  spec: PortSpec,
  attach: DeviceAttach,
  { seen, kernel, marks }: PlanParts,
  addresses: ReadonlyMap<string, readonly string[]>,
): PortPlan {
  const { device } = attach;
  const link = seen.host.get(device);
  if (!link) throw new Error(`device ${device} does not exist; create it or choose another attachment`);
  const taken = marks.isOurs(link, device);
  if (!taken) refuseUnusable(link, addresses.get(device) ?? [], marks);
  const mark = marks.of(device);
  const was = taken ? undefined : pastOf(link, mark, kernel);
  return {
    spec,
    sweep: NO_COMMANDS,
    open: nothing,
    make: was === undefined ? [] : [setAlias(device, `${mark} ${was}`)],
    isolate: device,
    settle: nothing,
    // Longer frames than its own MTU it would refuse to send.
    raise: [...(link.mtu < spec.mtu ? setMtu(link, device, spec.mtu) : []), ...setUp(link, device)],
    netns: null,
    configure: [],
    finish: (host) => packetPort(host, device, true),
    abandon: () => NO_COMMANDS,
  };
}

/** What is noted of a device that was taken over. */
const PAST = /^was (up|down) mtu (\d+) ipv6 (on|off) alias (.*)$/;

/** Whether what is noted of a device says that it was there before us. */
export const wasTakenOver = (note: string): boolean => PAST.test(note);

/** Commands that give a device back as it was found, from what is noted of it. */
export function giveBack(link: Link, note: string, kernel: Kernel): readonly Words[] {
  const past = PAST.exec(note);
  if (!past) return [];
  const [, state, mtu, ipv6, alias] = past;
  if (ipv6 === 'on') kernel.setIpv6Disabled(link.name, false);
  return [
    ...(state === 'down' ? [['link', 'set', 'dev', link.name, 'down']] : []),
    ...setMtu(link, link.name, Number(mtu)),
    setAlias(link.name, alias),
  ];
}

function refuseUnusable(link: Link, addresses: readonly string[], marks: PortMarks): void {
  if (link.flags & IFF_LOOPBACK) throw new Error(`device ${link.name} is the host's loopback; choose another one`);
  marks.claim(isMarked(link) ? link : undefined, link.name);
  if (addresses.length === 0) return;
  throw new Error(`device ${link.name} has the address ${addresses[0]}, which its host needs; remove it first`);
}

function pastOf(link: Link, mark: string, kernel: Kernel): string {
  const ipv6 = kernel.ipv6Disabled(link.name) ? 'off' : 'on';
  const past = `was ${link.up ? 'up' : 'down'} mtu ${link.mtu} ipv6 ${ipv6} alias `;
  const room = ALIAS_MAX - `${mark} ${past}`.length;
  // An alias that cannot be kept behind this, or not be written again, is lost.
  return past + (canBeGivenToIp(link.alias) && Buffer.byteLength(link.alias) <= room ? link.alias : '');
}
