# shellcheck shell=bash
# Shared by the scripts beside it: sourced, with the root of the checkout as working directory.
set -euo pipefail
PATH="$PWD/node_modules/.bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Runs the calling script again as root, where sudo is there to do so.
become_root() {
  [[ $EUID -ne 0 ]] || return 0
  command -v sudo >/dev/null || die "has to be root, and there is no sudo; run it as root"
  say "Running again as root, through sudo."
  exec sudo --preserve-env=CI env "PATH=$PATH" "$PWD/scripts/${0##*/}" "$@"
}
