"""Counts its visits in memcached, over a socket, with the standard library alone."""

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def memcached(line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", 11211), 2) as connection:
        connection.sendall(line)
        return connection.recv(200)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = memcached(b"incr hits 1\r\n")
        if answer.startswith(b"NOT_FOUND"):
            memcached(b"set hits 0 0 1\r\n1\r\n")
            answer = b"1"
        body = json.dumps({"hits": int(answer)}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
