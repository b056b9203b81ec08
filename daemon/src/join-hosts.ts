import type { Realiser } from './agent/realiser.js';
import type { RemoteHosts } from './agent/remote-hosts.js';
import type { Underlay } from './agent/way.js';
import type { HostDirectory } from './control/host-route.js';

/** By then whoever is there has been heard of, ms. */
const HOSTS_KNOWN_MS = 60_000;

/** Lets forwarding follow the other hosts, until the returned function is called. */
export function joinHosts(
  remote: RemoteHosts,
  hosts: HostDirectory,
  underlay: Underlay,
  realiser: Realiser,
): () => void {
  remote.onElsewhere(() => {
    realiser.schedule();
  });
  underlay.onChange((addresses) => {
    remote.onWays(addresses);
  });
  hosts.watch((changes) => {
    remote.onHosts(changes);
  });
  const timer = setTimeout(() => {
    remote.forgetOthers();
  }, HOSTS_KNOWN_MS);
  return () => {
    clearTimeout(timer);
  };
}
