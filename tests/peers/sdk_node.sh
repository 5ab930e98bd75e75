#!/usr/bin/env bash
# The OpenTelemetry SDK for Node. Usage: sdk_node.sh install
. "$(dirname "$0")/common.sh"
VERSION=${OTEL_NODE_VERSION:-0.223}
folder=$PEERS/node
command -v node > /dev/null && command -v npm > /dev/null || cannot "node and npm are missing: apt install nodejs npm"
has() {
    (cd "$folder" 2> /dev/null && node -e "
        for (const p of ['sdk-node', 'exporter-trace-otlp-grpc', 'exporter-trace-otlp-proto', 'exporter-trace-otlp-http'])
            if (!JSON.parse(require('fs').readFileSync('node_modules/@opentelemetry/' + p + '/package.json')).version.startsWith('$VERSION.'))
                process.exit(1)" 2> /dev/null)
}
has && exit 0
mkdir -p "$folder"
cp -f "$(dirname "$0")/package.json" "$folder/package.json"
(cd "$folder" && timeout 600 npm install --no-audit --no-fund --silent) || cannot "npm install failed"
has || cannot "npm installed another version than $VERSION"
