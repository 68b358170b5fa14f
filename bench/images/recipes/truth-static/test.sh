#!/bin/sh
# The routes that a test of the server takes.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "$@"; }
get --data '<p>hi</p>' "http://$HOST:$PORT/" | grep -q true
get --header 'Accept-Language: de' "http://$HOST:$PORT/language" | grep -q de
echo "the driven routes answered"
