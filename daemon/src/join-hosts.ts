import type { Mirrors } from './agent/mirrors.js';
import type { Realiser } from './agent/realiser.js';
import type { RemoteHosts } from './agent/remote-hosts.js';
import { TunnelEndpoints } from './agent/tunnel-endpoints.js';
import type { Underlay } from './agent/way.js';
import type { HostDirectory } from './control/host-route.js';
import type { StateStore } from './control/store.js';

/** By then whoever is there has been heard of, ms. */
const HOSTS_KNOWN_MS = 60_000;

interface Parts {
  readonly remote: RemoteHosts;
  readonly mirrors: Pick<Mirrors, 'onWays'>;
  readonly hosts: HostDirectory;
  readonly underlay: Underlay;
  readonly realiser: Realiser;
  readonly store: Pick<StateStore, 'watch'>;
}

/** Lets forwarding follow the configuration, the other hosts and the ways to them, until the returned function is called. */
export function joinHosts({ remote, mirrors, hosts, underlay, realiser, store }: Parts): () => void {
  remote.onElsewhere(() => {
    realiser.schedule();
  });
  underlay.onChange((addresses) => {
    remote.onWays(addresses);
    mirrors.onWays(addresses);
  });
  hosts.watch((changes) => {
    remote.onHosts(changes);
  });
  const endpoints = new TunnelEndpoints((changes) => {
    remote.onHosts(changes);
  });
  store.watch((change) => {
    realiser.onChange(change);
    endpoints.onChange(change);
  });
  const timer = setTimeout(() => {
    remote.forgetOthers();
  }, HOSTS_KNOWN_MS);
  return () => {
    clearTimeout(timer);
  };
}
