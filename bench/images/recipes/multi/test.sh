#!/bin/sh
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "http://$HOST:$PORT/"; }
get | grep -q '"hits": 1'
get | grep -q '"hits": 2'
sleep 5 # one round of the scheduler
get | grep -q '"hits": 3'
echo "counted in memcached"
