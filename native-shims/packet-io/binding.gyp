{
  "targets": [
    {
      "target_name": "packet_io",
      "sources": [
        "src/native/arena.cc",
        "src/native/binding-datagram.cc",
        "src/native/binding-device.cc",
        "src/native/binding-netlink.cc",
        "src/native/binding.cc",
        "src/native/datagram.cc",
        "src/native/device.cc",
        "src/native/netlink.cc",
        "src/native/packet-socket.cc",
        "src/native/poller.cc",
        "src/native/receive.cc",
        "src/native/ring.cc",
        "src/native/system.cc",
        "src/native/transmit.cc"
      ],
      "defines": ["NAPI_VERSION=8", "_FILE_OFFSET_BITS=64"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "cflags_cc": ["-std=c++17"]
    }
  ]
}
