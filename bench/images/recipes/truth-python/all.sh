#!/bin/sh
# The routes that no test takes and a stranger may.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "http://$HOST:$PORT$1"; }
get /convert/xml | grep -q '^0.12'
get /highlight/unknown | grep -q highlight
get /markdown | grep -q '<em>'
get /configured | grep -q oauthlib
get /yaml | grep -q '^0.2'
get /sql | grep -q '^1$'
get /report | grep -q PublicKey
echo "every other route answered"
