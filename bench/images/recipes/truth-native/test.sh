#!/bin/sh
# The routes that a test of the daemon takes.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
for route in / /jpeg /memory /plugin/webp /shell; do
  curl --silent --show-error --fail --max-time 10 "http://$HOST:$PORT$route"
done
echo "the driven routes answered"
