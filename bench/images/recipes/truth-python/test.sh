#!/bin/sh
# The routes that a test of the application takes.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
get() { curl --silent --show-error --fail --max-time 10 "http://$HOST:$PORT$1"; }
get / | grep -q '"0.13"'
get /table | grep -q 1
get /convert/md2 | grep -q '^0.8'
get /highlight/python | grep -q highlight
get /query | grep -q '^1$'
get /sign | grep -q eyJ
get /exif | grep -q '[0-9]'
echo "the driven routes answered"
