#!/usr/bin/env bash
# The OpenTelemetry SDK for Python in an environment of its own. Usage: sdk_python.sh install
. "$(dirname "$0")/common.sh"
VERSION=${OTEL_PYTHON_VERSION:-1.45.2}
venv=$PEERS/py/venv
has() { "$venv/bin/python" -c "import sys, importlib.metadata as m; sys.exit(any(m.version(p) != '$VERSION' for p in ('opentelemetry-sdk', 'opentelemetry-exporter-otlp')))" 2> /dev/null; }
has && exit 0
command -v python3 > /dev/null || cannot "python3 is missing"
python3 -c 'import ensurepip, venv' 2> /dev/null || cannot "python3-venv is missing: apt install python3-venv"
python3 -m venv "$venv"
timeout 600 "$venv/bin/pip" install -q "opentelemetry-sdk==$VERSION" "opentelemetry-exporter-otlp==$VERSION" || cannot "pip failed"
has || cannot "pip installed another version than $VERSION"
