#!/usr/bin/env bash
# StatsD clients for Python, datadog and statsd, in an environment of their own. Usage: statsd_python.sh install
. "$(dirname "$0")/common.sh"
WANTED=("datadog==${DATADOG_VERSION:-0.56.0}" "statsd==${STATSD_VERSION:-4.0.1}")
venv=$PEERS/statsd-py/venv
has() {
    "$venv/bin/python" -c "
import importlib.metadata, sys
sys.exit(any(importlib.metadata.version(name) != version for name, version in (w.split('==') for w in sys.argv[1:])))" "${WANTED[@]}" 2> /dev/null
}
has && exit 0
command -v python3 > /dev/null || cannot "python3 is missing"
python3 -c 'import ensurepip, venv' 2> /dev/null || cannot "python3-venv is missing: apt install python3-venv"
python3 -m venv "$venv"
timeout 600 "$venv/bin/pip" install -q "${WANTED[@]}" || cannot "pip install ${WANTED[*]} failed"
has || cannot "pip installed other versions than ${WANTED[*]}"
