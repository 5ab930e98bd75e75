#!/usr/bin/env bash
# Prometheus 3 (remote write 2.0) and its promtool. Usage: prometheus.sh install
. "$(dirname "$0")/common.sh"
VERSION=${PROMETHEUS_VERSION:-v0.305.0} # as a module; the program calls itself 3.5
MODULE=github.com/prometheus/prometheus
need_go
folder=
for program in prometheus promtool; do
    has_module $program $MODULE "$VERSION" && continue
    # Both come out of one module. The replacement is the one in Prometheus' own go.mod, which counts only there.
    [ -n "$folder" ] || {
        folder=$(new_module prometheus)
        (cd "$folder" && go mod edit -require="$MODULE@$VERSION" -replace=github.com/fsnotify/fsnotify@v1.8.0=github.com/fsnotify/fsnotify@v1.7.0)
    }
    go_build "$folder" $program $MODULE/cmd/$program
done
