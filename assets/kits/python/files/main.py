"""{{title}}: your program for {{unit}}.

README.md holds the contract. Find "Your code here" below; then run: cachelab check
"""

import http.client
import json
import os
import re
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import redis

PORT = int(os.environ["PORT"])  # listen here, on 127.0.0.1
INSTANCE = os.environ["INSTANCE"]  # which copy of the program this is: 1, 2, 3 …
ORIGIN = urlsplit(os.environ["ORIGIN_URL"])
{{variables}}

# One client for all threads: every command borrows a connection from its pool.
# db.set("key", "value", nx=True, px=500), db.get("key"), db.register_script("return 1")() …
db = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True, max_connections=1000)


def origin(method, path, body=None, headers=None):
    """Asks the origin; gives status and JSON: status, answer = origin("{{origin-method}}", f"{{origin-path}}")"""
    connection = http.client.HTTPConnection(ORIGIN.hostname, ORIGIN.port, timeout=10)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def healthz(request):
    """GET /healthz: this copy is ready when it can reach Redis."""
    return 200, {"ready": db.ping()}


{{handlers}}


# Every function gets the request (request.headers, request.query, request.body) and the parts of the path.
ROUTES = [
    ("GET", re.compile(r"/healthz"), healthz),
{{routes}}
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body leave in one packet

    def handle_request(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, self.query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        status, body = 404, {"error": f"nothing at {self.command} {path}"}
        for method, pattern, handler in ROUTES:
            match = pattern.fullmatch(path)
            if match and method == self.command:
                try:
                    status, body = handler(self, **match.groupdict())
                except Exception:
                    traceback.print_exc()  # cachelab shows what the program prints
                    status, body = 500, {"error": "see the traceback"}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_request

    def log_message(self, *_):
        pass  # print what you want to see instead


class Server(ThreadingHTTPServer):
    request_queue_size = 512  # the default of 5 refuses a crowd
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Handler).serve_forever()
