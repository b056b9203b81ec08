#include "receive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cstring>

#include "plain-io.h"
#include "ring.h"

namespace {

/** Errors in a row, without a frame between them, after which a descriptor is given up. */
constexpr uint8_t ERRORS_MAX = 64;

/** Offsets in a virtio-net header (little-endian, virtio 1.x section 5.1.6). */
constexpr uint32_t VNET_FLAGS = 0, VNET_HDR_LEN = 2, VNET_CSUM_START = 6;
constexpr uint8_t VNET_NEEDS_CSUM = 1;
constexpr uint32_t ADDRESSES_LEN = 12;

void add16(uint8_t *p, uint32_t n) {
  const uint32_t value = p[0] + (uint32_t{p[1]} << 8) + n;
  p[0] = static_cast<uint8_t>(value);
  p[1] = static_cast<uint8_t>(value >> 8);
}

/**
 * Puts a VLAN tag back in that the kernel delivered beside the frame. The virtio-net header and the addresses move to the front,
 * into the 4 bytes kept free for this. Returns the new start of the frame.
 */
uint8_t *insertVlan(uint8_t *frame, uint16_t tpid, uint16_t tci) {
  uint8_t *vnet = frame - VNET_LEN;
  memmove(vnet - VLAN_LEN, vnet, VNET_LEN + ADDRESSES_LEN);
  frame -= VLAN_LEN;
  vnet -= VLAN_LEN;
  frame[12] = static_cast<uint8_t>(tpid >> 8);
  frame[13] = static_cast<uint8_t>(tpid);
  frame[14] = static_cast<uint8_t>(tci >> 8);
  frame[15] = static_cast<uint8_t>(tci);
  if (vnet[VNET_FLAGS] & VNET_NEEDS_CSUM) add16(vnet + VNET_CSUM_START, VLAN_LEN);
  if (vnet[VNET_HDR_LEN] | vnet[VNET_HDR_LEN + 1]) add16(vnet + VNET_HDR_LEN, VLAN_LEN);
  return frame;
}

/** The tag of a message: TPID above TCI, 0 when it has none. */
uint32_t vlanOf(msghdr *message) {
  for (cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata aux;
    memcpy(&aux, CMSG_DATA(c), sizeof aux);
    if (!(aux.tp_status & TP_STATUS_VLAN_VALID)) return 0;
    const uint32_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q;
    return tpid << 16 | aux.tp_vlan_tci;
  }
  return 0;
}

}  // namespace

Receiver::Receiver(std::shared_ptr<Arena> arena, uint32_t quota)
    : arena_(std::move(arena)),
      quota_(quota),
      messages_(arena_->sizes.rxSlots),
      vectors_(arena_->sizes.rxSlots),
      controls_(arena_->sizes.rxSlots) {
  for (uint32_t i = 0; i < arena_->sizes.rxSlots; i++) {
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = &controls_[i];
  }
}

void Receiver::begin(std::vector<Port> *ports) {
  for (const uint32_t id : holding_) release(&(*ports)[id]);
  holding_.clear();
  frames_ = 0;
  slotsUsed_ = 0;
}

void Receiver::release(Port *port) {
  for (; port->ringHeld > 0; port->ringHeld--) {
    releaseSlot(ringSlot(port->ring, (port->ringNext + RING_FRAMES - port->ringHeld) % RING_FRAMES));
  }
}

uint32_t Receiver::budget() const { return std::min(quota_, arena_->sizes.rxSlots - slotsUsed_); }

After Receiver::read(uint32_t id, Port *port) {
  if (port->kind == PortKind::tap) return readTap(id, port, budget());
  return port->ring ? readRing(id, port, budget()) : readPacketSocket(id, port, budget());
}

After Receiver::readTap(uint32_t id, Port *port, uint32_t budget) {
  const uint32_t header = port->vnetHeader ? VNET_LEN : 0;
  const size_t room = arena_->sizes.slotBytes - FRAME_AT + header;
  for (uint32_t i = 0; i < budget; i++) {
    uint8_t *frame = arena_->slot(slotsUsed_) + FRAME_AT;
    const ssize_t got = plainRead(port->fd, frame - header, room);
    if (got <= 0) return onError(id, port, got == 0 ? EIO : errno);
    port->errorsInRow = 0;
    // A read that fills the slot may have lost its end: read() does not tell.
    if (static_cast<size_t>(got) == room || static_cast<uint32_t>(got) <= header) {
      countError(id, EMSGSIZE);
      continue;
    }
    if (!port->vnetHeader) memset(frame - VNET_LEN, 0, VNET_LEN);
    slotsUsed_++;
    describe(id, frame, static_cast<uint32_t>(got) - header);
  }
  return After::more;
}

After Receiver::readPacketSocket(uint32_t id, Port *port, uint32_t budget) {
  const uint32_t first = slotsUsed_;
  for (uint32_t i = first; i < first + budget; i++) prepareMessage(i, port->vnetHeader ? VNET_LEN : 0);
  const int got = recvmmsg(port->fd, &messages_[first], budget, MSG_DONTWAIT, nullptr);
  if (got < 0) return onError(id, port, errno);
  port->errorsInRow = 0;
  slotsUsed_ += static_cast<uint32_t>(got);
  for (uint32_t i = first; i < slotsUsed_; i++) takeMessage(id, *port, i);
  return static_cast<uint32_t>(got) < budget ? After::drained : After::more;
}

void Receiver::prepareMessage(uint32_t slot, uint32_t header) {
  vectors_[slot].iov_base = arena_->slot(slot) + FRAME_AT - header;
  vectors_[slot].iov_len = arena_->sizes.slotBytes - FRAME_AT + header;
  messages_[slot].msg_hdr.msg_controllen = sizeof(Control);
}

After Receiver::readRing(uint32_t id, Port *port, uint32_t budget) {
  for (uint32_t i = 0; i < budget; i++) {
    tpacket2_hdr *slot = ringSlot(port->ring, port->ringNext);
    const SlotState state = slotState(slot);
    if (state == SlotState::empty) return i == 0 ? readSocketError(id, port) : After::drained;
    if (port->ringHeld++ == 0) holding_.push_back(id);
    port->ringNext = (port->ringNext + 1) % RING_FRAMES;
    port->errorsInRow = 0;
    if (state == SlotState::frame) takeRingSlot(id, *port, slot);
    if (state == SlotState::elsewhere) takeElsewhere(id, *port);
    if (state == SlotState::lost) arena_->counters(id)[KERNEL_DROPS] += 1;
  }
  return After::more;
}

/** A ready socket with an empty ring has an error to tell, which would keep it ready. */
After Receiver::readSocketError(uint32_t id, Port *port) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  return error ? onError(id, port, error) : After::drained;
}

void Receiver::takeRingSlot(uint32_t id, const Port &port, tpacket2_hdr *slot) {
  uint8_t *frame = reinterpret_cast<uint8_t *>(slot) + RING_FRAME_AT;
  uint32_t length = slot->tp_snaplen;
  slotsUsed_++;
  if (!port.vnetHeader) memset(frame - VNET_LEN, 0, VNET_LEN);
  if (slot->tp_status & TP_STATUS_VLAN_VALID && length >= ADDRESSES_LEN) {
    const bool told = slot->tp_status & TP_STATUS_VLAN_TPID_VALID;
    frame = insertVlan(frame, told ? slot->tp_vlan_tpid : ETH_P_8021Q, slot->tp_vlan_tci);
    length += VLAN_LEN;
  }
  describe(id, frame, length);
}

/** A frame too long for the ring: one message of the socket. */
void Receiver::takeElsewhere(uint32_t id, const Port &port) {
  const uint32_t slot = slotsUsed_++;
  prepareMessage(slot, port.vnetHeader ? VNET_LEN : 0);
  const ssize_t got = recvmsg(port.fd, &messages_[slot].msg_hdr, MSG_DONTWAIT);
  if (got < 0) return countError(id, errno);
  messages_[slot].msg_len = static_cast<uint32_t>(got);
  takeMessage(id, port, slot);
}

void Receiver::takeMessage(uint32_t id, const Port &port, uint32_t slot) {
  const uint32_t header = port.vnetHeader ? VNET_LEN : 0;
  mmsghdr &message = messages_[slot];
  if (message.msg_hdr.msg_flags & MSG_TRUNC || message.msg_len <= header) return countError(id, EMSGSIZE);

  uint8_t *frame = arena_->slot(slot) + FRAME_AT;
  uint32_t length = message.msg_len - header;
  if (!port.vnetHeader) memset(frame - VNET_LEN, 0, VNET_LEN);
  const uint32_t vlan = vlanOf(&message.msg_hdr);
  if (vlan && length >= ADDRESSES_LEN) {
    frame = insertVlan(frame, static_cast<uint16_t>(vlan >> 16), static_cast<uint16_t>(vlan));
    length += VLAN_LEN;
  }
  describe(id, frame, length);
}

void Receiver::describe(uint32_t id, const uint8_t *frame, uint32_t length) {
  int32_t *words = arena_->rx() + size_t{frames_} * RX_WORDS;
  words[RX_PORT] = static_cast<int32_t>(id);
  words[RX_AT] = static_cast<int32_t>(arena_->offset(frame));
  words[RX_LENGTH] = static_cast<int32_t>(length);
  frames_++;
}

void Receiver::countError(uint32_t id, int error) {
  double *counters = arena_->counters(id);
  counters[RX_ERRORS] += 1;
  counters[LAST_ERRNO] = error;
}

/**
 * What a failed read means. Some errors concern one frame (EINVAL: its offloads do not fit a virtio-net header) or pass by
 * themselves (ENETDOWN, told once by a packet socket whose interface went down); some mean that the device was deleted.
 */
After Receiver::onError(uint32_t id, Port *port, int error) {
  if (error == EAGAIN) return After::drained;
  if (error == EINTR) return After::more;
  countError(id, error);
  if (error == ENETDOWN) return After::drained;
  const bool deleted = error == EBADFD || error == EBADF || error == EIO || error == ENODEV || error == ENXIO;
  if (!deleted && ++port->errorsInRow < ERRORS_MAX) return After::more;
  arena_->counters(id)[GONE] = 1;
  return After::gone;
}
