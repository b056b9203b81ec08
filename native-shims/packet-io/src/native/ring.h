#pragma once

#include <linux/if_packet.h>

#include <cstdint>

#include "arena.h"
#include "failure.h"

/**
 * A receive ring of a packet socket (TPACKET_V2), mapped into the arena. Each slot of RING_FRAME bytes:
 *
 *   0          32         52            312           322
 *   | tpacket2 | address  | headroom 260 | vnet hdr 10 | frame, at most 1726 ... |
 *
 * so a frame lies in a ring as it lies in an rx slot. Frames that do not fit come whole through recvmsg (PACKET_COPY_THRESH): their
 * slot says so and keeps their place in the order.
 */
constexpr uint32_t RING_HEADROOM_AT = TPACKET2_HDRLEN;
constexpr uint32_t RING_FRAME_AT = RING_HEADROOM_AT + FRAME_AT;
static_assert(RING_FRAME_AT % 4 == 2, "frames start two bytes past a word");

/**
 * Gives a socket a ring, before it is bound. Takes the kernel milliseconds, as does taking it away, which closing the socket does as
 * well: nothing for a thread that forwards. On failure the socket works without.
 */
Failure openRing(int fd, bool vnetHeader);
bool hasRing(int fd);
void closeRing(int fd);

/** Maps the ring of a socket at `where`, RING_BYTES of address space. On failure there is memory of zeroes. */
Failure mapRing(int fd, uint8_t *where);
/** Puts memory of zeroes in its place. The ring stays with its socket, and the kernel goes on filling it. */
void unmapRing(uint8_t *where);

/**
 * The slot to look at next, for whoever maps a ring that another has read: kept in the headroom of the first slot, which nobody
 * uses while the ring is not mapped. A new ring is zeroes, so that this is its first slot.
 */
inline uint32_t *keptPosition(uint8_t *ring) { return reinterpret_cast<uint32_t *>(ring + RING_HEADROOM_AT); }

/** What a slot of a ring holds. */
enum class SlotState {
  empty,
  frame,      // a whole frame, described by the slot
  elsewhere,  // a frame too long for the slot: the next that recvmsg gives
  lost,       // a frame too long for the slot, and the socket's buffer was full
};

inline tpacket2_hdr *ringSlot(uint8_t *ring, uint32_t index) {
  return reinterpret_cast<tpacket2_hdr *>(ring + size_t{index} * RING_FRAME);
}

/** State of a slot. Once it is not empty, the slot is ours until `releaseSlot`. */
inline SlotState slotState(const tpacket2_hdr *slot) {
  const uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
  if (!(status & TP_STATUS_USER)) return SlotState::empty;
  if (status & TP_STATUS_COPY) return SlotState::elsewhere;
  const bool whole = slot->tp_mac == RING_FRAME_AT && slot->tp_snaplen == slot->tp_len &&
                     slot->tp_snaplen <= RING_FRAME - RING_FRAME_AT;
  return whole ? SlotState::frame : SlotState::lost;
}

inline void releaseSlot(tpacket2_hdr *slot) { __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE); }
