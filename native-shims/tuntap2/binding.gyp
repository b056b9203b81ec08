{
  "targets": [
    {
      "target_name": "tuntap2",
      "sources": ["src/open_linux.cc", "src/arguments.cc", "src/tuntap_binding.cc"],
      "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except"],
      "cflags_cc": ["-std=c++17", "-Wall", "-Wextra", "-Werror"],
      "ldflags": ["-pthread"]
    }
  ]
}
