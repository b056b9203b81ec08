import * as mpls from './mpls.js';
import * as vxlan from './vxlan.js';

/** UDP destination ports of tunnels. */
export const TUNNEL_PORTS: readonly number[] = [mpls.UDP_PORT, mpls.OLD_UDP_PORT, vxlan.UDP_PORT];

/** Whether datagrams to this port are tunnel packets. */
export const isTunnelPort = (port: number): boolean =>
  port === mpls.UDP_PORT || port === mpls.OLD_UDP_PORT || port === vxlan.UDP_PORT;
