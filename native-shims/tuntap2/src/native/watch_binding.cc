#include "watch_binding.h"

#include <uv.h>

#include <memory>

#include "arguments.h"

namespace tuntap {
namespace {

class Watch;

/**
 * The part libuv knows. It lives on its own, because libuv frees it a turn of the loop after it was closed, when its Watch may be
 * gone. A Node environment that ends (a worker thread, say) waits for that turn through the cleanup hook.
 */
struct Poll {
  uv_poll_t handle;
  napi_async_cleanup_hook_handle hook = nullptr;
  Watch* owner = nullptr;  // null once closing
};

/**
 * `new Watch(fd, callback)`, `want(events)`, `close()`. Asleep until events are wanted; then calls `callback(events)` each time the
 * loop finds some, or `callback(negative errno)` once. The descriptor must stay open until `close()` has returned.
 */
class Watch : public Napi::ObjectWrap<Watch> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Watch", {InstanceMethod<&Watch::want>("want"), InstanceMethod<&Watch::close>("close")});
  }

  explicit Watch(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Watch>(info), context_(info.Env(), "tuntap2") {
    const int fd = toDescriptor(info[0]);
    if (!info[1].IsFunction()) throw invalidArgument(info.Env(), "callback must be a function");
    uv_loop_t* loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    auto poll = std::make_unique<Poll>();
    const int status = uv_poll_init(loop, &poll->handle, fd);
    throwIfFailed(info.Env(), {status < 0 ? -status : 0, "epoll_ctl", {}});

    poll_ = poll.release();
    poll_->handle.data = poll_;
    poll_->owner = this;
    napi_add_async_cleanup_hook(info.Env(), onCleanup, poll_, &poll_->hook);
    callback_ = Napi::Persistent(info[1].As<Napi::Function>());
    Ref();  // alive until closed, as a socket is
  }

 private:
  void want(const Napi::CallbackInfo& info) {
    const int events = static_cast<int>(toWhole(info[0], "events", UV_READABLE | UV_WRITABLE));
    if (!poll_) return;
    const int status = events ? uv_poll_start(&poll_->handle, events, onEvents) : uv_poll_stop(&poll_->handle);
    throwIfFailed(info.Env(), {status < 0 ? -status : 0, "epoll_ctl", {}});
  }

  void close(const Napi::CallbackInfo&) {
    if (!poll_) return;
    closePoll();
    callback_.Reset();
    Unref();
  }

  void closePoll() {
    poll_->owner = nullptr;
    uv_poll_stop(&poll_->handle);
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_->handle), onClosed);
    poll_ = nullptr;
  }

  void call(int events) {
    const Napi::Env env = Env();
    const Napi::HandleScope scope(env);
    try {
      callback_.MakeCallback(Value(), {Napi::Number::New(env, events)}, context_);
    } catch (const Napi::Error& error) {
      napi_fatal_exception(env, error.Value());
    }
  }

  static void onEvents(uv_poll_t* handle, int status, int events) {
    static_cast<Poll*>(handle->data)->owner->call(status < 0 ? status : events);
  }

  static void onClosed(uv_handle_t* handle) {
    const std::unique_ptr<Poll> poll(static_cast<Poll*>(handle->data));
    napi_remove_async_cleanup_hook(poll->hook);
  }

  static void onCleanup(napi_async_cleanup_hook_handle, void* data) {
    Watch* const owner = static_cast<Poll*>(data)->owner;
    if (owner) owner->closePoll();
  }

  Poll* poll_ = nullptr;  // null once closing
  Napi::FunctionReference callback_;
  Napi::AsyncContext context_;
};

}  // namespace

void defineWatch(Napi::Env env, Napi::Object exports) {
  exports.Set("Watch", Watch::define(env));
}

}  // namespace tuntap
