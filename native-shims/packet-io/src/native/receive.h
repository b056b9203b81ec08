#pragma once

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "arena.h"
#include "port.h"

/** What a read left behind. */
enum class After {
  drained,  // nothing more is waiting
  more,     // the quota ended the read, or a signal
  gone,     // the device behind the descriptor no longer exists
};

/** Reads frames of ports into rx slots and describes them. Knows nothing of which port is ready. */
class Receiver {
 public:
  Receiver(std::shared_ptr<Arena> arena, uint32_t quota);

  /** Forgets the frames of the last step: rx slots are free again, ring slots go back to the kernel. */
  void begin(std::vector<Port> *ports);
  /** Gives the ring slots of a port's last frames back to the kernel. */
  static void release(Port *port);
  uint32_t frames() const { return frames_; }
  bool full() const { return slotsUsed_ == arena_->sizes.rxSlots; }

  /** Reads at most the quota from one port. */
  After read(uint32_t id, Port *port);

 private:
  /** Ancillary data of one message: the packet socket's account of a VLAN tag and of checksums. */
  union Control {
    cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(tpacket_auxdata))];
  };

  After readTap(uint32_t id, Port *port, uint32_t budget);
  After readPacketSocket(uint32_t id, Port *port, uint32_t budget);
  After readRing(uint32_t id, Port *port, uint32_t budget);
  After readSocketError(uint32_t id, Port *port);
  void takeRingSlot(uint32_t id, const Port &port, tpacket2_hdr *slot);
  void takeElsewhere(uint32_t id, const Port &port);
  void prepareMessage(uint32_t slot, uint32_t header);
  void takeMessage(uint32_t id, const Port &port, uint32_t slot);
  void describe(uint32_t id, const uint8_t *frame, uint32_t length);
  void countError(uint32_t id, int error);
  After onError(uint32_t id, Port *port, int error);
  uint32_t budget() const;

  std::shared_ptr<Arena> arena_;
  const uint32_t quota_;
  uint32_t frames_ = 0;
  /** A frame in a ring uses up a slot number too, so that there is always a descriptor for a slot. */
  uint32_t slotsUsed_ = 0;
  /** Ports whose ring slots are held by the frames of this step. */
  std::vector<uint32_t> holding_;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<Control> controls_;
};
