// What an interface leaves to others: ethtool's features, over the socket that link_linux.h opens.
#pragma once

#include <string>

#include "system_linux.h"

namespace tuntap {

/**
 * On: transmit checksums and segmentation as far as a virtio-net header of 10 bytes can tell of them. Off: none of that, and no
 * merging of received frames. What a driver cannot switch is passed over.
 */
Failure setLinkOffloads(int control, const std::string& name, bool on);
/** Switches off the transmit offloads such a header cannot tell of. */
Failure limitLinkOffloads(int control, const std::string& name);

}  // namespace tuntap
