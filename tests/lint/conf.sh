#!/usr/bin/env bash
# Every configuration the project ships is valid. Usage: conf.sh PROGRAM
set -u
cd "$(dirname "$0")/../.." || exit 1
leat=${1:?usage: conf.sh PROGRAM}
bad=0 count=0
# What the deployment files take from their environment.
export MY_POD_IP=127.0.0.1 K8S_NODE_NAME=node LEAT_GATEWAY=127.0.0.1:4317 LEAT_TOKEN=secret \
    LEAT_USER=user LEAT_PASSWORD=secret
for file in conf/*.yaml; do
    count=$((count + 1))
    if ! out=$("$leat" validate --config "$file" 2>&1); then
        echo "$file:1: not valid:"
        echo "$out"
        bad=$((bad + 1))
    fi
done
[ "$count" -gt 0 ] || { echo "conf/*.yaml: no such file"; exit 1; }
echo "conf: $count files, $bad not valid"
[ "$bad" -eq 0 ]
