#!/bin/sh
# The routes that a test of the application takes.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
for route in / /markdown /id /convert/yaml /worker /query; do
  curl --silent --show-error --fail --max-time 10 --output /dev/null "http://$HOST:$PORT$route"
done
echo "the driven routes answered"
