#!/bin/sh
# What the application's own smoke test does; two of its routes it does not call.
set -eu
: "${HOST:=127.0.0.1}" "${PORT:=8080}"
url="http://$HOST:$PORT"
get() { curl --silent --show-error --fail --max-time 10 "$@"; }

get "$url/health"
get "$url/" | grep -q 'href="https://example.org"'
get --data-urlencode 'text=<b>hello</b><script>no</script>' "$url/notes" | grep -q notes
printf 'notes: [one, two]\n' | get --data-binary @- "$url/import" | grep -q notes
pixel='iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
printf '%s' "$pixel" | base64 -d | get --form 'image=@-;filename=a.png' --output /dev/null "$url/thumbnail"
get "$url/token?user=ada" | grep -q ada
# A page of the service itself, through its own previewer.
get "$url/preview?url=http%3A%2F%2F127.0.0.1%3A8080%2Fhealth" | grep -q ok
echo "all routes of the smoke test answered"
