// What JavaScript calls to receive datagrams in batches: arguments in, results out. System calls are made elsewhere.

#include <node_api.h>

#include <errno.h>

#include "arguments.h"
#include "datagram.h"
#include "packet-socket.h"

namespace {

napi_value openUdpSocketCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const std::string address = args.text(0);
  const uint32_t port = args.uint32(1);
  const int receiveBuffer = args.positive(2);
  if (args.bad()) return nullptr;
  if (port > 0xffff) return throwFailure(env, {EINVAL, "bind"});
  int fd = -1;
  const Failure failure = openUdpSocket(address, static_cast<uint16_t>(port), receiveBuffer, &fd);
  return failure ? throwFailure(env, failure) : toNumber(env, fd);
}

napi_value startSniffingCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  const int ifindex = args.positive(1);
  if (args.bad()) return nullptr;
  const Failure failure = startSniffing(fd, ifindex);
  return failure ? throwFailure(env, failure) : nullptr;
}

napi_value receiveDatagramsCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  const Bytes memory = args.bytes(1);
  const uint32_t slots = args.uint32(2);
  const uint32_t slotBytes = args.uint32(3);
  if (args.bad()) return nullptr;
  const uint64_t wanted = uint64_t{slots} * (uint64_t{slotBytes} + DATAGRAM_RECORD);
  if (wanted > memory.length || memory.length > INT32_MAX || reinterpret_cast<uintptr_t>(memory.at) % 4 != 0) {
    return throwFailure(env, {EINVAL, "recvmmsg"});
  }
  uint32_t received = 0;
  const Failure failure = receiveDatagrams(fd, memory.at, slots, slotBytes, &received);
  return failure ? throwFailure(env, failure) : toNumber(env, received);
}

napi_value socketMemoryCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  if (args.bad()) return nullptr;
  uint32_t words[2] = {};
  if (const Failure failure = socketMemory(fd, &words[0], &words[1])) return throwFailure(env, failure);
  napi_value pair;
  napi_create_array(env, &pair);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, pair, i, toNumber(env, words[i]));
  return pair;
}

napi_value takePacketDropsCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  return args.bad() ? nullptr : toNumber(env, takeKernelDrops(fd));
}

}  // namespace

const Export DATAGRAM_EXPORTS[] = {
    {"openUdpSocket", openUdpSocketCall}, {"startSniffing", startSniffingCall}, {"receiveDatagrams", receiveDatagramsCall},
    {"socketMemory", socketMemoryCall},   {"takePacketDrops", takePacketDropsCall},
};
const size_t DATAGRAM_EXPORT_COUNT = sizeof DATAGRAM_EXPORTS / sizeof *DATAGRAM_EXPORTS;
