#include "transmit.h"

#include <errno.h>

#include "plain-io.h"

namespace {

/** Whether the next frame to the same socket would meet the same answer, so that it need not be tried. */
bool lasts(int error) { return error == EAGAIN || error == ENETDOWN || error == ENXIO || error == EBADF; }

}  // namespace

Transmitter::Transmitter(std::shared_ptr<Arena> arena, const std::vector<Port> *ports)
    : arena_(std::move(arena)), ports_(*ports), messages_(arena_->sizes.txQueue), vectors_(arena_->sizes.txQueue) {
  for (uint32_t i = 0; i < arena_->sizes.txQueue; i++) {
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
}

uint32_t Transmitter::flush(uint32_t queued) {
  failed_ = 0;
  for (uint32_t i = 0; i < queued;) {
    const int refused = check(i);
    if (refused) {
      finish(i++, refused);
      continue;
    }
    const int32_t id = words(i)[TX_PORT];
    const Port &port = ports_[static_cast<uint32_t>(id)];
    if (port.kind == PortKind::tap) {
      sendTap(i++, port);
      continue;
    }
    uint32_t end = i;
    do prepare(end++, port);
    while (end < queued && words(end)[TX_PORT] == id && check(end) == 0);
    sendRun(i, end, port);
    i = end;
  }
  return failed_;
}

/** 0 when the descriptor can be sent: ENXIO without such a port, EINVAL when the frame lies outside the arena. */
int Transmitter::check(uint32_t index) const {
  const int32_t *w = words(index);
  const uint32_t port = static_cast<uint32_t>(w[TX_PORT]);
  if (port >= ports_.size()) return EINVAL;
  if (ports_[port].kind == PortKind::none) return ENXIO;
  return arena_->holdsFrame(w[TX_AT], w[TX_LENGTH]) ? 0 : EINVAL;
}

/** Points the message at the frame, with or without the virtio-net header in front of it. */
void Transmitter::prepare(uint32_t index, const Port &port) {
  const int32_t *w = words(index);
  const uint32_t header = port.vnetHeader ? VNET_LEN : 0;
  vectors_[index].iov_base = arena_->base() + w[TX_AT] - header;
  vectors_[index].iov_len = static_cast<size_t>(w[TX_LENGTH]) + header;
}

void Transmitter::sendTap(uint32_t index, const Port &port) {
  prepare(index, port);
  ssize_t sent;
  do sent = plainWrite(port.fd, vectors_[index].iov_base, vectors_[index].iov_len);
  while (sent < 0 && errno == EINTR);
  finish(index, sent < 0 ? errno : 0);
}

/** Sends descriptors [from, to), all of one packet socket. The kernel stops at the first it refuses; the rest is tried again. */
void Transmitter::sendRun(uint32_t from, uint32_t to, const Port &port) {
  while (from < to) {
    const int sent = sendmmsg(port.fd, &messages_[from], to - from, MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      const int error = sent < 0 ? errno : EIO;
      finish(from++, error);
      while (lasts(error) && from < to) finish(from++, error);
      continue;
    }
    for (const uint32_t end = from + static_cast<uint32_t>(sent); from < end;) finish(from++, 0);
  }
}

void Transmitter::finish(uint32_t index, int status) {
  words(index)[TX_STATUS] = status;
  if (status) failed_++;
}
