#!/usr/bin/env bash
# A collector with the components the tests talk to, made by its builder (ocb). Usage: otelcol.sh install
. "$(dirname "$0")/common.sh"
VERSION=${OTELCOL_VERSION:-v0.155.0} # builder, core components, contrib
STABLE=${OTELCOL_STABLE:-v1.61.0}    # the core's stable modules of the same release
CORE=go.opentelemetry.io/collector
CONTRIB=github.com/open-telemetry/opentelemetry-collector-contrib
need_go

# What it is made of, by kind; the version follows.
PARTS="
receivers $CORE/receiver/otlpreceiver
receivers $CONTRIB/receiver/statsdreceiver
processors $CORE/processor/batchprocessor
processors $CORE/processor/memorylimiterprocessor
processors $CONTRIB/processor/deltatocumulativeprocessor
exporters $CORE/exporter/otlpexporter
exporters $CORE/exporter/otlphttpexporter
exporters $CORE/exporter/debugexporter
exporters $CONTRIB/exporter/fileexporter
exporters $CONTRIB/exporter/prometheusexporter
exporters $CONTRIB/exporter/prometheusremotewriteexporter
"

# What the program itself says: a module may be in it for another's sake and be no component of it.
complete() {
    local have part
    have=$("$PEERS/bin/otelcol" components 2> /dev/null) || return 1
    for part in $(awk '{ print $2 }' <<< "$PARTS"); do
        grep -qF "module: $part $VERSION" <<< "$have" || return 1
    done
}
complete && exit 0

has_module builder $CORE/cmd/builder "$VERSION" || {
    folder=$(new_module builder)
    (cd "$folder" && go mod edit -require="$CORE/cmd/builder@$VERSION")
    go_build "$folder" builder $CORE/cmd/builder
}
folder=$PEERS/build/otelcol
rm -rf "$folder" && mkdir -p "$folder"
{
    echo "dist: {name: otelcol, description: peer of the tests, version: ${VERSION#v}, output_path: $folder/src, module: peers/otelcol}"
    for kind in receivers processors exporters; do
        echo "$kind:"
        awk -v k=$kind -v v="$VERSION" '$1 == k { print "  - gomod: " $2 " " v }' <<< "$PARTS"
    done
    echo "providers:"
    printf '  - gomod: %s %s\n' $CORE/confmap/provider/envprovider "$STABLE" $CORE/confmap/provider/fileprovider "$STABLE"
} > "$folder/builder.yaml"
# The builder only writes the sources. Its usual `go mod tidy` also asks for what the components' tests need; here
# the requirements come from the list above and `go build -mod=mod` resolves what the program really imports.
"$PEERS/bin/builder" --config "$folder/builder.yaml" --skip-strict-versioning --skip-compilation --skip-get-modules ||
    cannot "the builder failed"
(
    cd "$folder/src"
    rm -f go.mod go.sum
    go mod init peers/otelcol 2> /dev/null
    sed -nE 's/^ *- gomod: ([^ ]+) ([^ ]+)$/-require=\1@\2/p' ../builder.yaml | xargs go mod edit "-require=$CORE/otelcol@$VERSION"
)
go_build "$folder/src" otelcol .
