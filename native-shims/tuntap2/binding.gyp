{
  "targets": [
    {
      "target_name": "tuntap2",
      "sources": [
        "src/native/system_linux.cc",
        "src/native/open_linux.cc",
        "src/native/link_linux.cc",
        "src/native/offload_linux.cc",
        "src/native/arguments.cc",
        "src/native/watch_binding.cc",
        "src/native/tuntap_binding.cc"
      ],
      "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "ldflags": ["-pthread"]
    }
  ]
}
