/** Which part of its datagram a packet is: all of it, the first fragment with the upper header, one behind that. */
export const FRAGMENT = { none: 0, head: 1, later: 2 } as const;

/** What the stages learnt about the frame in hand. One object for all frames: the datapath runs each to completion. */
export class Packet {
  /** Interface the frame came in by; -1: made by the datapath itself. */
  vif = -1;
  vrf = 0;
  /** Offset of the Ethernet header in the arena, and of the first byte behind the frame. */
  at = 0;
  end = 0;
  /** Type behind all VLAN tags, and offset of what it announces. */
  etherType = 0;
  l3At = 0;
  tagged = false;
  /** Upper protocol and its offset; l4At is 0 where there is none to see (fragments behind the first, unknown extension headers). */
  protocol = 0;
  l4At = 0;
  /** One of FRAGMENT. */
  fragment = 0;
  /** Whether the flow is that of the packet this one, an ICMP error, quotes: such a packet begins none. */
  isQuoting = false;
  /** What the frame counts as: segments of a super-frame, bytes on the wire. */
  packets = 1;
  bytes = 0;
  /** Nexthop the packet goes out through, when its policy is what asks for a flow; -1: the interface it came in by does. */
  nexthop = -1;
  /** Host (PeerTable) the packet came from through a tunnel; -1: it did not. */
  peer = -1;
  /** Label or VNI to send it with, when it goes into a tunnel; and whether a route says so, not a MAC address. */
  label = -1;
  routed = false;
  /** Flow entry it belongs to, -1: none. */
  flow = -1;
  /** Of such a packet: its outer source where that is IPv4, else 0; and what its outer header says about congestion (RFC 6040). */
  outerSource = 0;
  outerEcn = 0;
  /** Bytes of TCP data in each segment it was put together from, when it was; else 0. */
  segmentSize = 0;
  /** Bytes of `bytes` that were made here: an Ethernet header the packet came without. */
  made = 0;
  /** Whether a flow was looked up, or need not be: what goes out through a nexthop with policy is looked up otherwise. */
  looked = false;
  /** Whether the frame in hand is a copy made for an analyzer: nothing copies that again, and no flow is looked up for it. */
  isCopy = false;
  /** How many times the frame was copied, header and all as it is, when other hosts have sent it here as a copy; else 0. */
  copies = 0;
  /** VLAN tag of the outer Ethernet header, for a NIC that mirrors frames with that tag; 0: none. */
  nicVlan = 0;

  /** Becomes what the other one is. */
  set(o: Packet): void {
    this.vif = o.vif;
    this.vrf = o.vrf;
    this.at = o.at;
    this.end = o.end;
    this.etherType = o.etherType;
    this.l3At = o.l3At;
    this.tagged = o.tagged;
    this.protocol = o.protocol;
    this.l4At = o.l4At;
    this.fragment = o.fragment;
    this.isQuoting = o.isQuoting;
    this.packets = o.packets;
    this.bytes = o.bytes;
    this.nexthop = o.nexthop;
    this.peer = o.peer;
    this.label = o.label;
    this.routed = o.routed;
    this.flow = o.flow;
    this.outerSource = o.outerSource;
    this.outerEcn = o.outerEcn;
    this.segmentSize = o.segmentSize;
    this.made = o.made;
    this.looked = o.looked;
    this.isCopy = o.isCopy;
    this.copies = o.copies;
    this.nicVlan = o.nicVlan;
  }
}
