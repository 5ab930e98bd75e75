#!/usr/bin/env bash
# telemetrygen, the collector's own load generator. Usage: telemetrygen.sh install
. "$(dirname "$0")/common.sh"
VERSION=${TELEMETRYGEN_VERSION:-v0.160.0}
MODULE=github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen
need_go
has_module telemetrygen $MODULE "$VERSION" && exit 0
folder=$(new_module telemetrygen)
(cd "$folder" && go mod edit -require="$MODULE@$VERSION")
go_build "$folder" telemetrygen $MODULE
