#include "open_linux.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

// Linux 6.2; missing from the headers of Debian 12.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace tuntap {
namespace {

const char* const TUN_PATH = "/dev/net/tun";

Failure findIndex(const std::string& name, uint32_t* ifindex) {
  const Descriptor socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket_.get() < 0) return failed("socket");
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(socket_.get(), SIOCGIFINDEX, &request) < 0) return failed("SIOCGIFINDEX", name);
  *ifindex = static_cast<uint32_t>(request.ifr_ifindex);
  return {};
}

/** Header size and offloads of an attached queue. */
Failure setFraming(int fd, const OpenRequest& request) {
  if (!request.vnetHeader) return {};
  int bytes = VNET_HEADER_BYTES;
  if (ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0) return failed("TUNSETVNETHDRSZ");
  return setOffloads(fd, request.offloads);
}

Failure setAccess(int fd, const OpenRequest& request) {
  if (request.owner && ioctl(fd, TUNSETOWNER, static_cast<unsigned long>(*request.owner)) < 0) return failed("TUNSETOWNER");
  if (request.group && ioctl(fd, TUNSETGROUP, static_cast<unsigned long>(*request.group)) < 0) return failed("TUNSETGROUP");
  return {};
}

/** Opens the device in the namespace of the calling thread. Persistence comes last: what fails before it leaves nothing behind. */
Failure openHere(const OpenRequest& request, OpenDevice* device) {
  Descriptor tun(open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (tun.get() < 0) return failed("open", TUN_PATH);

  ifreq interface{};
  request.name.copy(interface.ifr_name, IFNAMSIZ - 1);
  interface.ifr_flags = static_cast<short>((request.tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI |
                                           (request.vnetHeader ? IFF_VNET_HDR : 0) |
                                           (request.multiQueue ? IFF_MULTI_QUEUE : 0));
  if (ioctl(tun.get(), TUNSETIFF, &interface) < 0) return failed("TUNSETIFF", request.name);
  device->name = interface.ifr_name;

  Failure failure = findIndex(device->name, &device->ifindex);
  if (!failure.error) failure = setFraming(tun.get(), request);
  if (!failure.error) failure = setAccess(tun.get(), request);
  if (!failure.error && request.persist) failure = setPersist(tun.get(), true);
  if (failure.error) return failure;

  device->fd = tun.release();
  return {};
}

}  // namespace

Failure openDevice(const OpenRequest& request, OpenDevice* device) {
  return inNamespace(request.netns, [&] { return openHere(request, device); });
}

Failure setPersist(int fd, bool on) {
  return ioctl(fd, TUNSETPERSIST, on ? 1UL : 0UL) < 0 ? failed("TUNSETPERSIST") : Failure{};
}

Failure setOffloads(int fd, bool on) {
  constexpr unsigned long TCP = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  constexpr unsigned long UDP = TUN_F_USO4 | TUN_F_USO6;
  if (ioctl(fd, TUNSETOFFLOAD, on ? TCP | UDP : 0UL) == 0) return {};
  // Kernels before 6.2 refuse the flags of UDP segmentation.
  if (on && errno == EINVAL && ioctl(fd, TUNSETOFFLOAD, TCP) == 0) return {};
  return failed("TUNSETOFFLOAD");
}

}  // namespace tuntap
