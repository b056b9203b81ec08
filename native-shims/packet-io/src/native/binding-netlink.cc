// Netlink sockets for JavaScript, and a watcher that calls back from the event loop when a descriptor becomes readable.

#include <node_api.h>

#include <errno.h>
#include <uv.h>

#include <memory>

#include "arguments.h"
#include "netlink.h"

namespace {

/** A descriptor under watch. It frees itself once the event loop has let go of it. */
struct Watch {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
};

/** What the JavaScript object holds: null once unwatched. */
struct WatchHandle {
  static constexpr Kind KIND = Kind::watch;
  const Kind kind = KIND;
  Watch *watch;
};

void onReadable(uv_poll_t *poll, int status, int) {
  auto *watch = static_cast<Watch *>(poll->data);
  // libuv gives up a descriptor with an error, as a netlink socket has that lost messages; the error goes with the next read.
  if (status < 0) uv_poll_start(poll, UV_READABLE, onReadable);
  napi_env env = watch->env;
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_value callback, receiver;
  napi_get_reference_value(env, watch->callback, &callback);
  napi_get_global(env, &receiver);
  if (napi_make_callback(env, watch->context, receiver, callback, 0, nullptr, nullptr) == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

void onClosed(uv_handle_t *handle) {
  auto *watch = static_cast<Watch *>(handle->data);
  napi_remove_async_cleanup_hook(watch->cleanup);
  delete watch;
}

/** Ends a watch, by request or because the environment ends. The reference goes with the environment or here. */
void stop(Watch *watch) {
  uv_poll_stop(&watch->poll);
  napi_delete_reference(watch->env, watch->callback);
  napi_async_destroy(watch->env, watch->context);
  uv_close(reinterpret_cast<uv_handle_t *>(&watch->poll), onClosed);
}

void onEnvironmentEnd(napi_async_cleanup_hook_handle, void *data) { stop(static_cast<Watch *>(data)); }

napi_value watchReadable(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  napi_value callback = args.function(1);
  if (args.bad()) return nullptr;

  uv_loop_t *loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto *watch = new Watch{};
  if (const int refused = uv_poll_init(loop, &watch->poll, fd)) {
    delete watch;
    return throwFailure(env, {-refused, "epoll_ctl"});
  }
  watch->poll.data = watch;
  watch->env = env;
  napi_value name;
  napi_create_string_utf8(env, "packet-io", NAPI_AUTO_LENGTH, &name);
  napi_create_reference(env, callback, 1, &watch->callback);
  napi_async_init(env, nullptr, name, &watch->context);
  napi_add_async_cleanup_hook(env, onEnvironmentEnd, watch, &watch->cleanup);
  uv_poll_start(&watch->poll, UV_READABLE, onReadable);

  auto handle = std::make_unique<WatchHandle>(WatchHandle{Kind::watch, watch});
  napi_value value;
  const auto finalize = [](napi_env, void *data, void *) { delete static_cast<WatchHandle *>(data); };
  if (napi_create_external(env, handle.get(), finalize, nullptr, &value) != napi_ok) return nullptr;
  handle.release();
  return value;
}

napi_value unwatch(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  auto *handle = args.external<WatchHandle>(0);
  if (args.bad() || !handle->watch) return nullptr;
  stop(handle->watch);
  handle->watch = nullptr;
  return nullptr;
}

napi_value openNetlinkCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const uint32_t groups = args.uint32(0);
  if (args.bad()) return nullptr;
  int fd = -1;
  const Failure failure = openNetlink(groups, &fd);
  return failure ? throwFailure(env, failure) : toNumber(env, fd);
}

napi_value sendNetlinkCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  const Bytes message = args.bytes(1);
  if (args.bad()) return nullptr;
  const Failure failure = sendNetlink(fd, message.at, message.length);
  return failure ? throwFailure(env, failure) : nullptr;
}

napi_value receiveNetlinkCall(napi_env env, napi_callback_info info) {
  Arguments args(env, info);
  const int fd = args.positive(0);
  const Bytes into = args.bytes(1);
  const int timeoutMs = args.positive(2);
  if (args.bad()) return nullptr;
  size_t received = 0;
  const Failure failure = receiveNetlink(fd, into.at, into.length, timeoutMs, &received);
  return failure ? throwFailure(env, failure) : toNumber(env, static_cast<double>(received));
}

}  // namespace

const Export NETLINK_EXPORTS[] = {
    {"watchReadable", watchReadable},     {"unwatch", unwatch},
    {"openNetlink", openNetlinkCall},     {"sendNetlink", sendNetlinkCall},
    {"receiveNetlink", receiveNetlinkCall},
};
const size_t NETLINK_EXPORT_COUNT = sizeof NETLINK_EXPORTS / sizeof *NETLINK_EXPORTS;
