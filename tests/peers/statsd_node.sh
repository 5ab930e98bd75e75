#!/usr/bin/env bash
# StatsD clients for Node: hot-shots and node-statsd. Usage: statsd_node.sh install
. "$(dirname "$0")/common.sh"
WANTED=("hot-shots@${HOT_SHOTS_VERSION:-17.1.1}" "node-statsd@${NODE_STATSD_VERSION:-0.1.1}")
folder=$PEERS/statsd-node
command -v node > /dev/null && command -v npm > /dev/null || cannot "node and npm are missing: apt install nodejs npm"
has() {
    (cd "$folder" 2> /dev/null && node -e "
        for (const wanted of process.argv.slice(1)) {
            const [name, version] = wanted.split('@');
            if (JSON.parse(require('fs').readFileSync('node_modules/' + name + '/package.json')).version !== version) process.exit(1);
        }" "${WANTED[@]}" 2> /dev/null)
}
has && exit 0
rm -rf "$folder" && mkdir -p "$folder"
echo '{"name": "leat-statsd-clients", "private": true, "version": "1.0.0"}' > "$folder/package.json"
# hot-shots' optional part (Unix sockets) is C++ to be compiled: left out.
(cd "$folder" && timeout 600 npm install --no-audit --no-fund --silent --omit=optional "${WANTED[@]}") || cannot "npm install ${WANTED[*]} failed"
has || cannot "npm installed other versions than ${WANTED[*]}"
