#!/bin/sh
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "$@"; }
get "http://$HOST:$PORT/" | grep -q Hello
get --compressed "http://$HOST:$PORT/style.css" | grep -q teal
get --location "http://$HOST:$PORT/old/index.html" | grep -q Hello
! get --output /dev/null "http://$HOST:$PORT/missing" 2>/dev/null
echo "site, gzip, redirect and 404 answered"
