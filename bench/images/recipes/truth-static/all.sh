#!/bin/sh
# The routes that no test takes and a stranger may.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "$@"; }
get "http://$HOST:$PORT/key?k=x" | grep -q ssh
get "http://$HOST:$PORT/convert" | grep -q a:1
echo "every other route answered"
