#!/usr/bin/env bash
# Every script of the project parses: bash by bash, Python by Python.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0 count=0
while IFS= read -r file; do
    count=$((count + 1))
    case $file in
    *.py) python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || bad=$((bad + 1)) ;;
    *) bash -n "$file" || bad=$((bad + 1)) ;;
    esac
done < <(git ls-files -co --exclude-standard -- '*.sh' '*.py' .ci/run)
echo "shell: $count scripts, $bad do not parse"
[ "$count" -gt 0 ] && [ "$bad" -eq 0 ]
