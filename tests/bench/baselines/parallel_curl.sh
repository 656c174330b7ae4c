#!/usr/bin/env bash
# The same, sixteen at a time with GNU parallel.
# Usage: parallel_curl.sh ENDPOINT BODIES DONE
set -u
here=$(dirname "$0")
touch "$3"
parallel --will-cite -j 16 "$here/create_one.sh" "$1" "$3" {} < "$2"
