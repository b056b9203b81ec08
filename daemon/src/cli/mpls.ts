/** `mpls`: what packets that come with an MPLS label are for. */
import type { MplsDump } from '../control/dumps.js';
import { numberMapTool } from './number-map.js';

export const mpls = numberMapTool<MplsDump>({
  name: 'mpls',
  description: 'shows the nexthop of each MPLS label this host gave away',
  key: 'label',
  header: 'MPLS Input Label Map\n\n   Label    NextHop\n-------------------\n',
  row: ({ label, nexthop }) => `${String(label).padStart(8)}    ${String(nexthop).padStart(6)}\n`,
  all: (daemon) => daemon.mpls(),
  one: (daemon, label) => daemon.mplsLabel(label),
});
