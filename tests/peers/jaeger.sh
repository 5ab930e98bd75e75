#!/usr/bin/env bash
# Jaeger with its memory storage: the traces' destination, read back by its query API. Usage: jaeger.sh install
. "$(dirname "$0")/common.sh"
VERSION=${JAEGER_VERSION:-v1.62.0}
MODULE=github.com/jaegertracing/jaeger
need_go
has_module jaeger $MODULE "$VERSION" && exit 0
folder=$(new_module jaeger)
(cd "$folder" && go mod edit -require="$MODULE@$VERSION")
go_build "$folder" jaeger $MODULE/cmd/jaeger
