import { Packet } from '../packet/packet.js';
import { newFlowKey } from '../tables/flow.js';
import type { Nexthop } from '../tables/nexthop.js';
import type { Vif } from '../tables/vif.js';
import { MAX_LEN, MirrorMetadata, NOTHING } from '../wire/mirror-metadata.js';
import { Segmenter } from './offload.js';
import { BRIDGED_TTL } from './tunnel-header.js';

/** Most times a frame is copied as it is from host to host: mirrors of analyzers that mirror each other end there. */
export const MAX_COPIES = 3;

/** How many times a frame was copied as it is whose label has this TTL; packets have a TTL of their own there. */
export const timesCopied = (ttl: number): number =>
  ttl < BRIDGED_TTL && ttl >= BRIDGED_TTL - MAX_COPIES ? BRIDGED_TTL - ttl : 0;

/** What the copies of the frame in hand have in common, and what their making keeps from one to the next. */
export class MirrorState {
  /** The packet in hand, while it is a copy that is: it is that again when all copies are made. Its frame stays where it is. */
  readonly original = new Packet();
  /** Divides super-frames into the frames that are copied. */
  readonly segmenter = new Segmenter();
  /** Of the frame in hand, where it is a copy of another host. */
  readonly found = new MirrorMetadata();
  /** Key of the flow a frame belongs to, one for each family. */
  readonly key4 = newFlowKey();
  readonly key6 = newFlowKey();
  /** Identification of the last copy. */
  id = 0;

  /** What is copied: one of MIRRORED. */
  kind = 0;
  /** Whether a guest has sent the frame, else it is sent to one. */
  isIngress = false;
  /** VRF analyzers are routed in where their nexthop names none. */
  vrf = 0;
  /** Interface whose address copies come from where they may; null: this host's. */
  addressed: Vif | null = null;
  /** Interfaces the frame comes from and goes to, whose fat-flow rules make flows of it, and the flow-key nexthop; null: not known. */
  sender: Vif | null = null;
  receiver: Vif | null = null;
  keyNh = 0;
  /** UDP source port; -1: that of each frame's own flow. */
  port = -1;
  /** Metadata: `metadataLen` bytes. */
  metadata: Uint8Array = NOTHING;
  metadataLen = NOTHING.length;
  readonly flowMetadata = new Uint8Array(MAX_LEN);
  /** Addresses of the Ethernet header a packet came without; null: it has one. */
  rewrite: Uint8Array | null = null;

  /** Where the copies for one analyzer go: nexthop, its label, and the VRF they are counted in. */
  leg: Nexthop | null = null;
  label = -1;
  legVrf = 0;
}
