#!/usr/bin/env bash
# VictoriaMetrics, one node. Usage: victoriametrics.sh install
. "$(dirname "$0")/common.sh"
VERSION=${VICTORIAMETRICS_VERSION:-v1.150.0}
MODULE=github.com/VictoriaMetrics/VictoriaMetrics
need_go
has_module victoria-metrics $MODULE "$VERSION" && exit 0
folder=$(new_module victoriametrics)
(cd "$folder" && go mod edit -require="$MODULE@$VERSION")
go_build "$folder" victoria-metrics $MODULE/app/victoria-metrics
