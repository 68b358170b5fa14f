#!/bin/sh
# The routes that no test takes and a stranger may.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
for route in /yaml /json /computed /configured /plugin/png /helper; do
  curl --silent --show-error --fail --max-time 10 "http://$HOST:$PORT$route"
done
echo "every other route answered"
