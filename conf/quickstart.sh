#!/usr/bin/env bash
# From a clone to telemetry on the screen: installs what is missing (Debian 12), builds, runs Leat without a configuration
# and sends it a few traces, metrics and logs.
# Usage: bash conf/quickstart.sh [--seconds N] (default: runs until Ctrl-C)
set -eu
cd "$(dirname "$0")/.."
seconds=
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
    *) echo "unknown option $1" >&2; exit 64 ;;
    esac
    shift
done

packages="cmake ninja-build gcc pkg-config libuv1-dev libnghttp2-dev node-llhttp libssl-dev libfyaml-dev zlib1g-dev
libcrypt-dev libisal-dev libzstd-dev libsnappy-dev liblz4-dev"
missing=
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2> /dev/null | grep -q ' installed$' || missing="$missing $p"
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo > /dev/null || { echo "install these packages first:$missing" >&2; exit 1; }
        sudo=sudo
    fi
    $sudo apt-get update -q
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing
fi

echo "building into build/"
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo > build.log 2>&1 && ninja -C build >> build.log 2>&1 ||
    { tail -n 30 build.log; echo "the build failed: build.log has it all" >&2; exit 1; }
rm -f build.log

build/leat ${seconds:+--seconds "$seconds"} &
leat=$!
# Ctrl-C reaches the program too: it ends in good order, and this script after it.
trap ':' INT
trap 'kill "$leat" 2> /dev/null' TERM
for _ in $(seq 100); do
    (exec 3<> /dev/tcp/127.0.0.1/4318) 2> /dev/null && break
    kill -0 "$leat" 2> /dev/null || break # it said why
    sleep 0.1
done
# The demo ends a little before the program does, so that all it sent is shown.
if kill -0 "$leat" 2> /dev/null; then
    build/leat demo ${seconds:+--seconds "$((seconds > 4 ? seconds - 2 : seconds / 2 + 1))"} || echo "leat demo ended with $?" >&2
fi
code=0
while kill -0 "$leat" 2> /dev/null; do
    code=0
    wait "$leat" || code=$?
done
exit $code
