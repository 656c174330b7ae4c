#!/usr/bin/env bash
# Usage: create_one.sh ENDPOINT DONE BODY      keys in NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY
set -u
name=${3#'{"name":"'}
name=${name%%'"'*}
grep -qx "$name" "$2" && exit 0
while :; do
    now=$(date +%s%3N)
    signature=$(printf 'POST /api/v1/jobs\n%s\n%s' "$now" "$NCLOUD_ACCESS_KEY_ID" |
        openssl dgst -sha256 -hmac "$NCLOUD_SECRET_ACCESS_KEY" -binary | base64)
    status=$(curl -s -o /dev/null -w '%{http_code}' -X POST "$1/api/v1/jobs" \
        -H 'Content-Type: application/json' -H "x-ncp-apigw-timestamp: $now" \
        -H "x-ncp-iam-access-key: $NCLOUD_ACCESS_KEY_ID" -H "x-ncp-apigw-signature-v2: $signature" \
        --data-binary "$3")
    case $status in
        2*) echo "$name" >> "$2"; exit 0 ;;
        429 | 5* | 000) sleep 1 ;;
        *) echo "$name: HTTP $status" >&2; exit 1 ;;
    esac
done
