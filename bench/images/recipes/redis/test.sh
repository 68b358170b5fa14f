#!/bin/bash
# Speaks the protocol itself: redis-cli must not run, it is part of the image.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=6379}"
exec 3<>"/dev/tcp/$HOST/$PORT"
ask() { # ask EXPECTED WORD...
  local expected=$1 answer
  shift
  printf '*%d\r\n' $# >&3
  for word; do printf '$%d\r\n%s\r\n' ${#word} "$word" >&3; done
  IFS= read -r -t 10 answer <&3
  [ "${answer%$'\r'}" = "$expected" ] || { echo "$*: $answer" >&2; exit 1; }
}
ask +PONG PING
ask +OK SET a 1
ask :2 INCR a
ask :4 EVAL 'return redis.call("get", KEYS[1]) * 2' 1 a # the embedded Lua engine
echo "commands and a script answered"
