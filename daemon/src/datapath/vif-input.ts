import { VNET_LEN } from '../io/device.js';
import { DROP } from '../packet/drop.js';
import { HEADER, VIF } from '../tables/counters.js';
import { VIF_FLAG, VIF_TYPE } from '../tables/records.js';
import type { Vif } from '../tables/vif.js';
import * as ethernet from '../wire/ethernet.js';
import * as vnet from '../wire/vnet.js';
import { arpInput } from './arp.js';
import { bridgeInput } from './bridge.js';
import type { Datapath } from './datapath.js';
import { fabricInput, superFrameInput } from './fabric-input.js';
import { flowInput } from './flow.js';
import { mirrorReceived } from './mirror.js';
import { ndInput } from './nd.js';
import { checkVnet, isPlain, wireBytes, wirePackets } from './offload.js';
import { parse, parseEthernet } from './parse.js';
import { trapDhcp } from './trap.js';

/** A frame arrives from a port: count it, look at it, and hand it to the stage that knows it. */
export function vifInput(dp: Datapath, port: number, at: number, length: number): void {
  const { p, b, tables, counters } = dp;
  const vif = tables.vifs.get(port);
  p.at = at;
  p.end = at + length;
  p.packets = 1;
  p.bytes = length;
  p.vif = -1;
  p.looked = false;
  p.nexthop = -1;
  p.peer = -1;
  p.flow = -1;
  p.made = 0;
  p.copies = 0;
  p.nicVlan = 0;
  if (!vif) {
    counters.words[HEADER.retiredReceived]++;
    return counters.drop(-1, DROP.invalidIf, 1);
  }
  p.vif = port;
  p.vrf = vif.vrf;

  const vnetAt = at - VNET_LEN;
  const plain = isPlain(b, vnetAt);
  const sound = (plain && vnet.hdrLen(b, vnetAt) === 0) || checkVnet(b, at, length, vnetAt);
  const word = counters.vifAt(port);
  if (!plain && sound) {
    p.packets = wirePackets(b, at, length, vnetAt);
    p.bytes = wireBytes(b, at, length, vnetAt);
    if (p.packets > 1) counters.words[word + VIF.rxSuperFrames]++;
  }
  counters.words[word + VIF.rxPackets] += p.packets;
  counters.words[word + VIF.rxBytes] += p.bytes;

  dp.tracer?.begin(-1);
  if (vif.receiveMirrors !== null && sound) mirrorReceived(dp, vif.receiveMirrors, vif);
  if (!parseEthernet(dp)) return dp.drop('pull');
  if (vif.type === VIF_TYPE.physical) return sound ? fabricInput(dp) : superFrameInput(dp);
  if (!sound) return dp.drop('invalidPacket');
  frameInput(dp, vif);
}

/** A frame of an interface whose Ethernet header was read goes to the stage that knows it. */
export function frameInput(dp: Datapath, vif: Vif): void {
  const { p } = dp;
  const l3 = (vif.flags & VIF_FLAG.l3) !== 0;
  if (p.tagged) return bridgeInput(dp, vif);
  if (p.etherType === ethernet.TYPE_ARP) return l3 ? arpInput(dp, vif) : bridgeInput(dp, vif);

  // A pure layer-2 network never looks into IP, but for the DHCP of its guests.
  if (!parse(dp)) return l3 ? dp.drop('invalidPacket') : bridgeInput(dp, vif);
  if (trapDhcp(dp, vif)) return;
  if (l3 && ndInput(dp, vif)) return;
  if (vif.policy && !flowInput(dp, vif)) return;
  bridgeInput(dp, vif);
}
