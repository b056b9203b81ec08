#include "link_linux.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace tuntap {
namespace {

// The kernel never answers with more than this in one datagram to a buffer of this size.
constexpr size_t ANSWER_BYTES = 32768;

ifreq requestFor(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

Failure query(int control, unsigned long call, const char* callName, ifreq* request) {
  return ioctl(control, call, request) < 0 ? failed(callName, request->ifr_name) : Failure{};
}

/** An address message: header, interface and at most three attributes of 16 bytes. */
class AddressMessage {
 public:
  AddressMessage(uint16_t type, uint16_t flags, uint32_t ifindex, uint8_t family) {
    header()->nlmsg_len = NLMSG_LENGTH(sizeof(ifaddrmsg));
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    body()->ifa_family = family;
    body()->ifa_index = ifindex;
  }

  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }
  ifaddrmsg* body() { return static_cast<ifaddrmsg*>(NLMSG_DATA(header())); }

  void append(uint16_t type, const std::vector<uint8_t>& value) {
    auto* attribute = reinterpret_cast<rtattr*>(bytes_ + NLMSG_ALIGN(header()->nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = static_cast<uint16_t>(RTA_LENGTH(value.size()));
    memcpy(RTA_DATA(attribute), value.data(), value.size());
    header()->nlmsg_len = NLMSG_ALIGN(header()->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
  }

 private:
  alignas(nlmsghdr) char bytes_[NLMSG_SPACE(sizeof(ifaddrmsg)) + 3 * RTA_SPACE(16)] = {};
};

/** Sends the message and passes every part of the answer to `each`, up to the acknowledgement or the end of the dump. */
template <typename Each>
Failure exchange(int control, AddressMessage* message, const char* callName, const Each& each) {
  static std::atomic<uint32_t> sequence{0};  // worker threads share it
  message->header()->nlmsg_seq = ++sequence;
  if (send(control, message->header(), message->header()->nlmsg_len, 0) < 0) return failed(callName);

  std::vector<char> answer(ANSWER_BYTES);
  for (;;) {
    const ssize_t received = recv(control, answer.data(), answer.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return failed(callName);
    auto left = static_cast<unsigned>(received);
    for (auto* part = reinterpret_cast<nlmsghdr*>(answer.data()); NLMSG_OK(part, left); part = NLMSG_NEXT(part, left)) {
      if (part->nlmsg_seq != message->header()->nlmsg_seq) continue;
      if (part->nlmsg_type == NLMSG_DONE) return {};
      if (part->nlmsg_type == NLMSG_ERROR) return {-static_cast<nlmsgerr*>(NLMSG_DATA(part))->error, callName, {}};
      each(part);
    }
  }
}

void collect(const nlmsghdr* part, uint32_t ifindex, uint8_t family, std::vector<Address>* addresses) {
  const auto* body = static_cast<const ifaddrmsg*>(NLMSG_DATA(part));
  if (part->nlmsg_type != RTM_NEWADDR || body->ifa_index != ifindex || body->ifa_family != family) return;
  Address address;
  address.prefixLength = body->ifa_prefixlen;
  address.global = body->ifa_scope < RT_SCOPE_LINK;
  auto left = static_cast<int>(IFA_PAYLOAD(part));
  for (const rtattr* at = IFA_RTA(body); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    // IFA_LOCAL is the own address where both are there (IPv4); IFA_ADDRESS is it where it stands alone (IPv6).
    const bool own = at->rta_type == IFA_LOCAL || (at->rta_type == IFA_ADDRESS && address.bytes.empty());
    const auto* value = static_cast<const uint8_t*>(RTA_DATA(at));
    if (own) address.bytes.assign(value, value + RTA_PAYLOAD(at));
  }
  if (!address.bytes.empty()) addresses->push_back(address);
}

/** The address with every bit behind the prefix set. */
std::vector<uint8_t> broadcastOf(const Address& address) {
  std::vector<uint8_t> bytes = address.bytes;
  for (size_t bit = address.prefixLength; bit < bytes.size() * 8; bit++) {
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] | (0x80 >> (bit % 8)));
  }
  return bytes;
}

Failure listAddresses(int control, uint32_t ifindex, uint8_t family, std::vector<Address>* addresses) {
  AddressMessage message(RTM_GETADDR, NLM_F_DUMP, 0, family);
  return exchange(control, &message, "RTM_GETADDR",
                  [&](const nlmsghdr* part) { collect(part, ifindex, family, addresses); });
}

Failure change(int control, uint16_t type, uint16_t flags, uint32_t ifindex, uint8_t family, const Address& address) {
  AddressMessage message(type, static_cast<uint16_t>(NLM_F_ACK | flags), ifindex, family);
  message.body()->ifa_prefixlen = address.prefixLength;
  message.append(IFA_LOCAL, address.bytes);
  message.append(IFA_ADDRESS, address.bytes);
  // RFC 3021: a /31 has no broadcast address.
  if (family == AF_INET && address.prefixLength < 31) message.append(IFA_BROADCAST, broadcastOf(address));
  return exchange(control, &message, type == RTM_NEWADDR ? "RTM_NEWADDR" : "RTM_DELADDR", [](const nlmsghdr*) {});
}

}  // namespace

Failure openControl(const std::string& netns, int* control) {
  return inNamespace(netns, [&]() -> Failure {
    *control = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return *control < 0 ? failed("socket") : Failure{};
  });
}

Failure isUp(int control, const std::string& name, bool* up) {
  ifreq request = requestFor(name);
  const Failure failure = query(control, SIOCGIFFLAGS, "SIOCGIFFLAGS", &request);
  *up = (request.ifr_flags & IFF_UP) != 0;
  return failure;
}

Failure setUp(int control, const std::string& name, bool up) {
  ifreq request = requestFor(name);
  const Failure failure = query(control, SIOCGIFFLAGS, "SIOCGIFFLAGS", &request);
  if (failure.error) return failure;
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  return query(control, SIOCSIFFLAGS, "SIOCSIFFLAGS", &request);
}

Failure getMtu(int control, const std::string& name, uint32_t* mtu) {
  ifreq request = requestFor(name);
  const Failure failure = query(control, SIOCGIFMTU, "SIOCGIFMTU", &request);
  *mtu = static_cast<uint32_t>(request.ifr_mtu);
  return failure;
}

Failure setMtu(int control, const std::string& name, uint32_t mtu) {
  ifreq request = requestFor(name);
  request.ifr_mtu = static_cast<int>(mtu);
  return query(control, SIOCSIFMTU, "SIOCSIFMTU", &request);
}

Failure getMac(int control, const std::string& name, Mac* mac) {
  ifreq request = requestFor(name);
  const Failure failure = query(control, SIOCGIFHWADDR, "SIOCGIFHWADDR", &request);
  memcpy(mac->data(), request.ifr_hwaddr.sa_data, mac->size());
  return failure;
}

Failure setMac(int control, const std::string& name, const Mac& mac) {
  ifreq request = requestFor(name);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
  return query(control, SIOCSIFHWADDR, "SIOCSIFHWADDR", &request);
}

Failure getAddress(int control, uint32_t ifindex, uint8_t family, Address* address) {
  std::vector<Address> addresses;
  const Failure failure = listAddresses(control, ifindex, family, &addresses);
  for (const Address& each : addresses) {
    if (address->bytes.empty() || (each.global && !address->global)) *address = each;
  }
  return failure;
}

Failure setAddress(int control, uint32_t ifindex, uint8_t family, const Address& address) {
  std::vector<Address> before;
  Failure failure = listAddresses(control, ifindex, family, &before);
  for (const Address& each : before) {
    const bool same = each.bytes == address.bytes && each.prefixLength == address.prefixLength;
    if (failure.error || same || !each.global) continue;
    failure = change(control, RTM_DELADDR, 0, ifindex, family, each);
  }
  if (failure.error) return failure;
  return change(control, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, family, address);
}

}  // namespace tuntap
