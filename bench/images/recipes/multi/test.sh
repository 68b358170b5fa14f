#!/bin/sh
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "http://$HOST:$PORT/"; }
hits() { get | sed 's/[^0-9]//g'; }
first=$(hits)
[ "$(hits)" -gt "$first" ]
sleep 5 # one round of the scheduler
[ "$(hits)" -gt "$((first + 1))" ]
echo "counted in memcached"
