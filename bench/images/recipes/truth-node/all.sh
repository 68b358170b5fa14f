#!/bin/sh
# The routes that no test takes and a stranger may.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
for route in /convert/time /template /page /fetch /plugin /child; do
  curl --silent --show-error --fail --max-time 10 --output /dev/null "http://$HOST:$PORT$route"
done
echo "every other route answered"
