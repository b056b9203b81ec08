import { mkdirSync, watch } from 'node:fs';
import { LinkMonitor, listLinks } from 'packet-io';
import { NAMESPACES } from './agent/port-plan.js';
import type { Realiser } from './agent/realiser.js';

/** A namespace's file appears before the namespace is mounted on it: looks after a change there, ms. */
const NAMESPACE_LOOKS_MS = [30, 300, 1500];

/** Namespaces that appear may be those that interfaces wait for; those that vanish take their ports along. Until the returned function is called. */
export function watchNamespaces(realiser: Realiser): () => void {
  mkdirSync(NAMESPACES, { recursive: true });
  const coming = new Set<number>();
  const watcher = watch(NAMESPACES, () => {
    for (const ms of NAMESPACE_LOOKS_MS) {
      if (coming.has(ms)) continue;
      coming.add(ms);
      setTimeout(() => {
        coming.delete(ms);
        realiser.retry();
      }, ms).unref();
    }
  });
  return () => {
    watcher.close();
  };
}

/** Devices that vanish take their interface down until it can be set up again; one that appears may be waited for. Until then, too. */
export function watchLinks(realiser: Realiser): () => void {
  const monitor = new LinkMonitor((event) => {
    if (event.type === 'dellink') realiser.deviceGone(event.ifindex);
    else if (event.type === 'newlink') realiser.deviceAppeared(event.name);
    else realiser.devicesAre(new Set(listLinks().map(({ ifindex }) => ifindex)));
  });
  return () => {
    monitor.close();
  };
}
