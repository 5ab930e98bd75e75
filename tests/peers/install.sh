#!/usr/bin/env bash
# Installs every peer that is not there yet; safe to run twice at once. Ends with 1 when one cannot be installed, after
# trying the others, and says why in a line that begins with "cannot".
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
exec 9> "$PEERS/lock"
flock 9
failed=0
for peer in debian sdk_python sdk_node statsd_python statsd_node telemetrygen victoriametrics jaeger prometheus otelcol; do
    begin=$SECONDS
    if bash "$here/$peer.sh" install; then
        echo "$peer: there after $((SECONDS - begin)) s"
    else
        failed=1
    fi
done
exit $failed
