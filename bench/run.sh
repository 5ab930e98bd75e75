#!/usr/bin/env bash
# Measures Leat beside its peers: bash bench/run.sh [--rounds N] [--seconds S] [--systems a,b] [scenario...]
#                                 bash bench/run.sh overload [--seconds S] [--systems a,b] [row...]
#                                 bash bench/run.sh metrics [--rounds N] [--systems a,b] [row...]
#
# Builds the program and the tools (build/), makes the payload files once, installs nginx and haproxy where apt-get may,
# takes otelcol and rotel-agent from $LEAT_PEERS/bin (~/.cache/leat-peers/bin) where they are. Prints the tables; they
# and the raw numbers lie in build/bench/results/. Without a scenario: all of them and the proof, about an hour.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exec python3 bench/measure.py --help ;; esac
BUILD=${LEAT_BUILD:-$PWD/build}
export LEAT_BUILD=$BUILD
[ "$(nproc)" -ge 2 ] || { echo "bench: two cores are needed, one for the system and one for the load" >&2; exit 1; }

missing=""
command -v nginx > /dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v haproxy > /dev/null || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"
if [ -n "$missing" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing > /dev/null 2>&1 ||
        echo "bench: could not install$missing; measured without" >&2
fi

cmake -S . -B "$BUILD" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLEAT_BENCH=ON > /dev/null
ninja -C "$BUILD" leat load sink relay payloads codec_alone statsd_load statsd_drain > "$BUILD/bench-build.log" 2>&1 ||
    { cat "$BUILD/bench-build.log" >&2; exit 1; }
mkdir -p "$BUILD/bench/bodies"
"$BUILD/bench/payloads" "$BUILD/bench/bodies" > /dev/null
(cd "$BUILD/bench/bodies" && sha256sum --quiet -c "$OLDPWD/bench/payloads.sha256")
if [ "${1:-}" = overload ]; then
    shift
    exec python3 bench/overload.py "$@"
fi
if [ "${1:-}" = metrics ]; then
    shift
    exec python3 bench/metrics.py "$@"
fi
exec python3 bench/measure.py "$@"
