# Sourced by every peer's script: where peers live, and how Go programs are built. PEERS (default
# ~/.cache/leat-peers) holds everything and may be kept from run to run.
set -euo pipefail
export PEERS=${PEERS:-$HOME/.cache/leat-peers}
mkdir -p "$PEERS/bin" "$PEERS/build"
[ -d /usr/local/go/bin ] && PATH=$PATH:/usr/local/go/bin

cannot() { echo "cannot install $(basename "$0" .sh): $*"; exit 1; }

need_go() {
    local have
    command -v go > /dev/null ||
        cannot "Go 1.22 or newer is needed and there is none; Debian 12's own golang (1.19) is too old: install it from https://go.dev/dl/ or from bookworm-backports (golang-go)"
    have=$(go env GOVERSION)
    printf '%s\ngo1.22\n' "$have" | sort -V -C 2> /dev/null && [ "$have" != go1.22 ] &&
        cannot "Go 1.22 or newer is needed, this is $have (Debian 12's own golang is too old): install one from https://go.dev/dl/ or from bookworm-backports (golang-go)"
    return 0
}

# has_module PROGRAM MODULE VERSION: the program is there and was built from that version.
has_module() {
    [ -x "$PEERS/bin/$1" ] && go version -m "$PEERS/bin/$1" 2> /dev/null |
        awk -v m="$2" -v v="$3" '($1 == "mod" || $1 == "dep") && $2 == m && $3 == v { found = 1 } END { exit !found }'
}

# go_build FOLDER PROGRAM PACKAGE: builds a package inside the module in FOLDER, niced and with two jobs.
go_build() {
    (cd "$1" && CGO_ENABLED=0 timeout 2700 nice -n 10 go build -mod=mod -p 2 -trimpath -ldflags='-s -w' -o "$PEERS/bin/$2.new" "$3") ||
        cannot "go build $3 failed"
    mv "$PEERS/bin/$2.new" "$PEERS/bin/$2"
}

# new_module NAME: an empty module that will require others; prints its folder. Modules with replace directives cannot
# be built by `go install PACKAGE@VERSION`, from inside another module they can.
new_module() {
    local folder=$PEERS/build/$1
    rm -rf "$folder" && mkdir -p "$folder"
    (cd "$folder" && go mod init "peers/$1" 2> /dev/null)
    echo "$folder"
}
