#!/usr/bin/env bash
# Programs of Debian, unpacked and not installed, so that no service starts: Prometheus 2 (remote write 1.0) as
# prometheus-debian, and the nc of OpenBSD as nc. Usage: debian.sh install
. "$(dirname "$0")/common.sh"
folder=$PEERS/debian

# has PROGRAM ARGUMENT WORDS: the program runs and says these words.
has() { "$PEERS/bin/$1" "$2" 2>&1 | grep -q "$3"; }

# unpack PACKAGE PATH PROGRAM: downloads a package and puts one of its programs into bin.
unpack() {
    command -v apt-get > /dev/null && command -v dpkg > /dev/null || cannot "apt-get and dpkg are missing: this takes a Debian"
    rm -rf "${folder:?}/$1" && mkdir -p "$folder/$1"
    (
        cd "$folder/$1"
        # Where apt reads as a user of its own, a folder it cannot enter only makes it complain.
        timeout 300 apt-get download -qq "$1" 2> apt.log || { cat apt.log; exit 1; }
        dpkg -x ./*.deb x
    ) || cannot "apt-get download $1 failed (a list that is too old? apt-get update)"
    mv -f "$folder/$1/x$2" "$PEERS/bin/$3"
    rm -rf "${folder:?}/$1"
}
has prometheus-debian --version 'version 2\.' || unpack prometheus /usr/bin/prometheus prometheus-debian
has nc -h OpenBSD || unpack netcat-openbsd /bin/nc.openbsd nc
has prometheus-debian --version 'version 2\.' || cannot "the prometheus of this Debian is not version 2, or does not run"
has nc -h OpenBSD || cannot "the nc of netcat-openbsd does not run"
