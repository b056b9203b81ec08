#include "offload_linux.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

namespace tuntap {
namespace {

Failure ethtool(int control, const std::string& name, void* command) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = static_cast<char*>(command);
  return ioctl(control, SIOCETHTOOL, &request) < 0 ? failed("SIOCETHTOOL", name) : Failure{};
}

/** A struct of ethtool with `Item`s behind it. */
template <typename Command, typename Item>
class EthtoolCommand {
 public:
  EthtoolCommand(uint32_t command, size_t items) : memory_((sizeof(Command) + items * sizeof(Item) + 7) / 8) {
    get()->cmd = command;
  }
  Command* get() { return reinterpret_cast<Command*>(memory_.data()); }
  Item* items() { return reinterpret_cast<Item*>(get() + 1); }

 private:
  std::vector<uint64_t> memory_;
};

struct FeatureName {
  char text[ETH_GSTRING_LEN];
};

/** Names of the features this kernel knows, in the order of their bits; empty for those it has no name for. */
Failure featureNames(int control, const std::string& name, std::vector<std::string>* names) {
  EthtoolCommand<ethtool_sset_info, uint32_t> info(ETHTOOL_GSSET_INFO, 1);
  info.get()->sset_mask = 1ULL << ETH_SS_FEATURES;
  Failure failure = ethtool(control, name, info.get());
  if (failure.error) return failure;
  EthtoolCommand<ethtool_gstrings, FeatureName> strings(ETHTOOL_GSTRINGS, info.items()[0]);
  strings.get()->string_set = ETH_SS_FEATURES;
  strings.get()->len = info.items()[0];
  failure = ethtool(control, name, strings.get());
  for (uint32_t i = 0; !failure.error && i < strings.get()->len; i++) {
    const char* text = strings.items()[i].text;
    names->emplace_back(text, strnlen(text, ETH_GSTRING_LEN));
  }
  return failure;
}

/** Switches the features on and off for which `choose` says so. Those the driver cannot switch stay as they are. */
Failure changeFeatures(int control, const std::string& name,
                       const std::function<std::optional<bool>(const std::string&)>& choose) {
  std::vector<std::string> names;
  const Failure failure = featureNames(control, name, &names);
  if (failure.error) return failure;
  const size_t blocks = (names.size() + 31) / 32;
  EthtoolCommand<ethtool_sfeatures, ethtool_set_features_block> change(ETHTOOL_SFEATURES, blocks);
  change.get()->size = static_cast<uint32_t>(blocks);
  for (size_t i = 0; i < names.size(); i++) {
    const std::optional<bool> on = choose(names[i]);
    if (!on) continue;
    change.items()[i / 32].valid |= 1U << (i % 32);
    if (*on) change.items()[i / 32].requested |= 1U << (i % 32);
  }
  return ethtool(control, name, change.get());
}

/** Whether a feature lets a sender leave checksums or segmentation to whoever comes after. */
bool isTransmitOffload(const std::string& feature) {
  const std::string end = "-segmentation";
  const bool segmentation = feature.size() > end.size() && feature.compare(feature.size() - end.size(), end.size(), end) == 0;
  return segmentation || feature.rfind("tx-checksum-", 0) == 0 || feature == "tx-gso-list" || feature == "tx-gso-partial";
}

/** Linux 6.2 taught packet sockets and TAPs to tell of UDP segmentation in a virtio-net header. */
bool kernelTellsOfUdpSegmentation() {
  utsname name{};
  unsigned major = 0;
  unsigned minor = 0;
  const bool read = uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2;
  return read && (major > 6 || (major == 6 && minor >= 2));
}

/**
 * Whether a virtio-net header of 10 bytes can tell what a frame of this offload still needs: an internet checksum, the segmentation
 * of plain TCP and UDP. It has no words for segments within tunnels, for SCTP and its CRC, for what else may come.
 */
bool vnetHeaderTells(const std::string& feature) {
  if (feature == "tx-udp-segmentation") return kernelTellsOfUdpSegmentation();
  for (const char* told : {"tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic", "tx-generic-segmentation",
                           "tx-tcp-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation",
                           "tx-tcp6-segmentation"}) {
    if (feature == told) return true;
  }
  return false;
}

}  // namespace

Failure setLinkOffloads(int control, const std::string& name, bool on) {
  return changeFeatures(control, name, [on](const std::string& feature) -> std::optional<bool> {
    if (isTransmitOffload(feature)) return on && vnetHeaderTells(feature);
    // Merging is nothing anybody asked for: it is off unless somebody else switches it on.
    return feature == "rx-gro" && !on ? std::optional(false) : std::nullopt;
  });
}

Failure limitLinkOffloads(int control, const std::string& name) {
  return changeFeatures(control, name, [](const std::string& feature) -> std::optional<bool> {
    return isTransmitOffload(feature) && !vnetHeaderTells(feature) ? std::optional(false) : std::nullopt;
  });
}

}  // namespace tuntap
