// Properties of an interface, read and set over one rtnetlink socket that stays in the interface's namespace.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "system_linux.h"

namespace tuntap {

using Mac = std::array<uint8_t, 6>;

/** An address of an interface: 4 or 16 bytes in network order. */
struct Address {
  std::vector<uint8_t> bytes;
  uint8_t prefixLength = 0;
  bool global = true;  // scope wider than the link
};

/** Opens the socket the functions below take as `control`. */
Failure openControl(const std::string& netns, int* control);

Failure isUp(int control, const std::string& name, bool* up);
Failure setUp(int control, const std::string& name, bool up);
Failure getMtu(int control, const std::string& name, uint32_t* mtu);
Failure setMtu(int control, const std::string& name, uint32_t mtu);
Failure getMac(int control, const std::string& name, Mac* mac);
Failure setMac(int control, const std::string& name, const Mac& mac);

/** The first address of a family (AF_INET, AF_INET6), one of global scope if there is one; none: no bytes. */
Failure getAddress(int control, uint32_t ifindex, uint8_t family, Address* address);
/** Makes it the only address of global scope of its family. */
Failure setAddress(int control, uint32_t ifindex, uint8_t family, const Address& address);

}  // namespace tuntap
