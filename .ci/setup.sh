#!/bin/sh
# Brings a fresh machine to the point where the broker runs and the tests pass: Debian's codec libraries,
# the Node modules (Node 24 among them), the addon. Each step is skipped when it is already done.
set -eu
cd "$(dirname "$0")/.."

packages='g++ cmake make libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev'
[ "${1:-}" != test ] || packages="$packages clang-format kcat" # tests check formats and run a client
have() { # true when everything the addon needs to build is there
  case $packages in *clang-format*) { command -v clang-format && command -v kcat; } >/dev/null || return 1 ;; esac
  command -v g++ >/dev/null && command -v cmake >/dev/null && command -v make >/dev/null &&
    printf '#include <zstd.h>\n#include <lz4frame.h>\n#include <snappy-c.h>\n#include <zlib.h>\n' |
    g++ -x c++ -E - >/dev/null 2>&1
}
if ! have; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "ottla: installing $packages" >&2
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null
  else
    echo "ottla: missing build packages; type: sudo apt-get install -y $packages" >&2
    exit 1
  fi
fi

# Modules behind a link are another checkout's: npm would empty them for everybody.
if [ -L node_modules ]; then
  echo 'ottla: node_modules is a link; its modules are taken as they are' >&2
elif [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'ottla: installing node modules' >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
export PATH="$PWD/node_modules/.bin:$PATH"
node native/build.mjs
