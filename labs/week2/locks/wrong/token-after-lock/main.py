"""The order service. Wrong: draws the token in a second command and never asks whether the lock was still its own."""

import http.client
import json
import os
import random
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import redis

TTL_MS = int(os.environ["LOCK_TTL_MS"])
WAIT_S = int(os.environ["WAIT_MS"]) / 1000
ORIGIN = urlsplit(os.environ["ORIGIN_URL"])

db = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5, max_connections=1000)

give_back = db.register_script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
""")


class Busy(Exception):
    """No lock in time, or too late with it."""


def lock_key(item):
    return f"sale:{{{item}}}:lock"


def fence_key(item):
    return f"sale:{{{item}}}:fence"


def acquire(item, owner):
    """The fencing token of the lock, once it is ours."""
    deadline = time.monotonic() + WAIT_S
    longest = 0.005
    while True:
        if db.set(lock_key(item), owner, nx=True, px=TTL_MS):
            return db.incr(fence_key(item))
        pause = random.uniform(longest / 2, longest)
        if time.monotonic() + pause >= deadline:
            raise Busy
        time.sleep(pause)
        longest = min(longest * 2, 0.080)  # the longer the queue, the rarer each one asks


def release(item, owner):
    try:
        give_back(keys=[lock_key(item)], args=[owner])
    except redis.RedisError:
        pass  # the expiry will do it


def warehouse(method, item, token, body=None):
    """The answer's JSON. The token goes with reads too: from then on older holders are turned away."""
    connection = http.client.HTTPConnection(ORIGIN.hostname, ORIGIN.port, timeout=10)
    try:
        headers = {"Fencing-Token": str(token), "Content-Type": "application/json"}
        connection.request(method, f"{ORIGIN.path.rstrip('/')}/stock/{item}", body and json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status == 409:
        raise Busy
    if answer.status != 200:
        raise OSError(f"{method} {item}: {answer.status} {text!r}")
    return json.loads(text)


def sell(item, token):
    stock = warehouse("GET", item, token)["stock"]
    if stock == 0:
        return 409, {"sold": False}
    warehouse("PUT", item, token, {"stock": stock - 1})
    return 200, {"sold": True, "left": stock - 1}


def buy(item):
    owner = secrets.token_hex(16)
    try:
        token = acquire(item, owner)
        try:
            return sell(item, token)
        finally:
            release(item, owner)
    except (Busy, redis.RedisError):
        return 503, {"error": "busy"}
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 502, {"error": f"warehouse: {error}"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body in one packet

    def do_GET(self):
        if self.path == "/healthz":
            self.answer(200, {"ready": db.ping()})
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/buy/"):
            self.answer(*buy(self.path.removeprefix("/buy/")))
        else:
            self.answer(404, {"error": "not found"})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
