import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listLinks, sendDrops } from 'packet-io';
import {
  closeFd,
  duplicateFd,
  limitLinkOffloads,
  openRouteSocket,
  openTap,
  setLinkOffloads,
  setPersist,
} from 'tuntap2';
import { NAMESPACES } from './port-plan.js';

/** What the agent asks of the kernel by system calls; programs are run for the rest. */
export const kernel = {
  openTap,
  setPersist,
  duplicateFd,
  closeFd,
  openRouteSocket,
  sendDrops,
  setLinkOffloads,
  limitLinkOffloads,

  /** Interfaces of a namespace (its file), by default the daemon's. */
  links(netns?: string) {
    if (netns === undefined) return listLinks();
    const socket = openRouteSocket(netns);
    try {
      return listLinks(socket);
    } finally {
      closeFd(socket);
    }
  },

  /** Files of the namespaces that have a name. */
  namespaces(): readonly string[] {
    const names = ignoringAbsence(() => readdirSync(NAMESPACES)) ?? [];
    return names.map((name) => join(NAMESPACES, name));
  },

  /** Which namespace a file stands for, to be compared; undefined: there is no such file. */
  namespaceOf(netns: string): string | undefined {
    const found = statSync(netns, { throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  },

  /** Whether IPv6 is off on an interface of the daemon's namespace; where the kernel has no IPv6 it is. */
  ipv6Disabled(device: string): boolean {
    return ignoringAbsence(() => readFileSync(ipv6Switch(device), 'utf8').trim() === '1') ?? true;
  },

  setIpv6Disabled(device: string, disabled: boolean): void {
    ignoringAbsence(() => {
      writeFileSync(ipv6Switch(device), disabled ? '1' : '0');
    });
  },
} as const;

/** Settings below /proc/sys/net of the daemon's namespace. */
export const settings = {
  /** undefined: this kernel has none of that name. */
  get: (path: string): string | undefined =>
    ignoringAbsence(() => readFileSync(`/proc/sys/net/${path}`, 'utf8').trim()),

  /** Changes one, if there is one of that name. */
  set(path: string, value: string): void {
    ignoringAbsence(() => {
      writeFileSync(`/proc/sys/net/${path}`, value);
    });
  },
} as const;

export type Settings = typeof settings;
export type Kernel = typeof kernel;
export type Link = ReturnType<Kernel['links']>[number];

const ipv6Switch = (device: string): string => `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`;

function ignoringAbsence<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
