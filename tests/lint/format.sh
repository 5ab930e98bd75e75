#!/usr/bin/env bash
# Every C file is laid out as .clang-format says.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang-format-14 >/dev/null || { echo "clang-format-14 is missing"; exit 1; }
mapfile -t files < <(git ls-files -co --exclude-standard -- '*.c' '*.h')
[ "${#files[@]}" -gt 0 ] || { echo "no C file found"; exit 1; }
clang-format-14 --dry-run -Werror "${files[@]}" && echo "format: ${#files[@]} files"
