#!/usr/bin/env bash
# What a careful person writes first: one createJob after the other with curl, signed with openssl. A job that was
# answered is noted, so that running it again goes on; a refusal for going too fast waits a second.
# Usage: curl_loop.sh ENDPOINT BODIES DONE      BODIES: one request body a line
set -u
here=$(dirname "$0")
touch "$3"
while IFS= read -r body; do
    "$here/create_one.sh" "$1" "$3" "$body"
done < "$2"
