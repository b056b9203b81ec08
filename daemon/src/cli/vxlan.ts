/** `vxlan`: what packets that come with a VXLAN network identifier are for. */
import type { VxlanDump } from '../control/dumps.js';
import { numberMapTool } from './number-map.js';

export const vxlan = numberMapTool<VxlanDump>({
  name: 'vxlan',
  description: 'shows the nexthop of each VXLAN network identifier of this host',
  key: 'vnid',
  header: 'VXLAN Table\n\n VNID    NextHop\n----------------\n',
  row: ({ vni, nexthop }) => `${String(vni).padStart(7)}    ${nexthop}\n`,
  all: (daemon) => daemon.vxlan(),
  one: (daemon, vni) => daemon.vxlanVni(vni),
});
