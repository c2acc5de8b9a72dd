#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clients.py FUMAROLE: what the server's HTTP layer answers, whatever is sent: methods, hosts, origins, keys, framing, limits,
and clients that are slow, many or damaged.
"""
import base64
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time

from job_calls import need_device
from serve import SANITIZED, Server, refuse

PROGRAM = os.path.abspath(sys.argv[1])
KEY = "sesame-0123456789"


def check(good, what):
    if not good:
        raise AssertionError(what)


def expect(answer, status, word="", form="error"):
    """Checks an error: status, JSON, headers, and a part of its message."""
    check(answer.status == status, f"{answer.status} {answer.body[:300]!r}, expected {status}")
    check(answer.headers["Content-Type"] == "application/json", answer.headers["Content-Type"])
    check(answer.headers["X-Content-Type-Options"] == "nosniff", "no nosniff")
    check(len(answer.body) < 8192, "a long error")
    message = answer.json["error"]["message"] if form == "error" else answer.json["detail"]
    check(word in message, f"{word!r} is not in {message!r}")


def status_of(data):
    """The status and the body of an answer in bytes. 0: there is none."""
    found = re.match(rb"HTTP/1\.[01] (\d+) ", data)
    return int(found[1]) if found else 0, data.partition(b"\r\n\r\n")[2]


def line(server, text, *headers):
    """A request in bytes, with the server's Host unless headers have one."""
    if not any(h.lower().startswith("host:") for h in headers):
        headers = (f"Host: 127.0.0.1:{server.port}", *headers)
    return "\r\n".join([text, *headers, "", ""]).encode()


# ---- plain requests ----

def test_health(server):
    answer = server.get("/health")
    check(answer.status == 200 and answer.json["status"] == "ok", answer.body)
    check(re.fullmatch(r"\d+\.\d+\.\d+", answer.json["version"]), answer.json)
    head = server.request("HEAD", "/health")
    check(head.status == 200 and head.body == b"" and head.headers["Content-Length"] == str(len(answer.body)), "HEAD")


def test_page(server):
    for path, kind in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/icon.svg", "image/svg"),
                       ("/favicon.ico", "image/svg")):
        answer = server.get(path)
        check(answer.status == 200 and answer.headers["Content-Type"].startswith(kind) and answer.body, path)
        policy = answer.headers["Content-Security-Policy"]
        check("default-src 'self'" in policy and "frame-ancestors 'none'" in policy, policy)
        check(answer.headers["X-Content-Type-Options"] == "nosniff", "no nosniff")
        again = server.get(path, If_None_Match=answer.headers["ETag"])
        check(again.status == 304 and again.body == b"", "304")


def test_paths(server):
    for path in ("/nope", "/health/", "//health", "/health%00", "/%2e%2e/etc/passwd", "/../etc/passwd", "/page.js%2f..",
                 "/api/pictures/..%2f..%2fjobs.sqlite", "/" + "a" * 5000, "/%ff%fe", "*"):
        check(server.get(path).status == 404, path)
        expect(server.get(path), 404)
    expect(server.get("/sdapi/v1/nope"), 404, form="detail")
    expect(server.get("/v1/nope"), 404)


def test_methods(server):
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"):
        answer = server.request(method, "/health")
        expect(answer, 405, "method")
        check(answer.headers["Allow"] == "GET, HEAD", answer.headers["Allow"])
    check(server.request("OPTIONS", "/health").status == 204, "OPTIONS")
    check(server.request("HEAD", "/nope").status == 404, "HEAD of nothing")


def test_keep_alive(server):
    import http.client
    link = http.client.HTTPConnection(server.host, server.port, timeout=20)
    for path in ("/health", "/nope", "/health"):
        link.request("GET", path)
        port = link.sock.getsockname()[1]
        link.getresponse().read()
        check(link.sock and link.sock.getsockname()[1] == port, f"closed after {path}")
    link.close()


# ---- hosts, origins and keys ----

def test_hosts(server):
    port = server.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        status, _ = status_of(server.raw(line(server, "GET /health HTTP/1.1", "Host: " + host, "Connection: close")))
        check(status == 200, host)
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1.evil:{port}",
                 f"localhost:{port}.evil", f"127.0.0.1:{port}@evil"):
        status, body = status_of(server.raw(line(server, "GET /health HTTP/1.1", "Host: " + host, "Connection: close")))
        check(status in (400, 403) and json.loads(body)["error"]["message"], host)
    for headers in ((), (f"Host: 127.0.0.1:{port}",) * 2, (f"Host: 127.0.0.1:{port}", "Host: evil"), ("Host:",)):
        data = "\r\n".join(["GET /health HTTP/1.1", *headers, "Connection: close", "", ""]).encode()
        status, body = status_of(server.raw(data))
        check(status == 400 and json.loads(body)["error"]["type"] == "invalid_request_error", headers)
    check(status_of(server.raw(b"GET /health HTTP/1.0\r\n\r\n"))[0] == 400, "HTTP/1.0 without Host")


def test_origins(server):
    own = f"http://127.0.0.1:{server.port}"
    for origin in ("http://evil.example", "null", "", f"http://localhost:{server.port}", own + "0"):
        for method in ("POST", "DELETE"):
            expect(server.request(method, "/health", Origin=origin), 403, "Origin")
        answer = server.get("/health", Origin=origin)
        check(answer.status == 200 and "Access-Control-Allow-Origin" not in answer.headers, "a foreign page reads")
    check(server.post("/health", Origin=own).status == 405, "the own page")
    answer = server.request("OPTIONS", "/health", Origin="http://evil.example", Access_Control_Request_Method="POST")
    check(not any(name.lower().startswith("access-control") for name in answer.headers), "preflight")


def test_cors():
    origin = "https://app.example"
    with Server(PROGRAM, "--cors", origin) as server:
        answer = server.get("/health", Origin=origin)
        check(answer.headers["Access-Control-Allow-Origin"] == origin and "Origin" in answer.headers["Vary"], "GET")
        answer = server.request("OPTIONS", "/health", Origin=origin, Access_Control_Request_Method="POST")
        check(answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == origin, "preflight")
        check({"POST", "DELETE"} <= set(re.split(", *", answer.headers["Access-Control-Allow-Methods"])), "methods")
        allowed = set(re.split(", *", answer.headers["Access-Control-Allow-Headers"].lower()))
        check({"content-type", "authorization", "idempotency-key"} <= allowed, "headers")
        check(server.post("/health", Origin=origin).status == 405, "POST")
        expect(server.post("/health", Origin="https://evil.example"), 403)
        answer = server.get("/health", Origin="https://evil.example")
        check("Access-Control-Allow-Origin" not in answer.headers, "another origin")


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_keys(folder):
    path = os.path.join(folder, "keys")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"first-key\r\n\n  {KEY}  \n")
    with Server(PROGRAM, "--api-key-file", path, "--listen-ip", "0.0.0.0", "--log", "json") as server:
        check(server.get("/health").status == 200, "/health needs none")
        for given in ("Bearer " + KEY, "bearer first-key", basic("any", KEY), basic("", "first-key"), basic("x", KEY)):
            check(server.get("/page.js", Authorization=given).status == 200, given)
        for given in ("", "Bearer", "Bearer ", "Bearer " + KEY[:-1], "Bearer " + KEY + "x", "Bearer x" + KEY, "Basic", "Basic !!!",
                      basic(KEY, ""), basic("user", "wrong"), "Basic " + base64.b64encode(KEY.encode()).decode(), KEY,
                      "Bearer " + "a" * 5000, "Digest " + KEY):
            answer = server.get("/page.js", Authorization=given)
            expect(answer, 401)
            check(answer.json["error"]["code"] == "invalid_api_key" and "Basic" in answer.headers["WWW-Authenticate"], given)
        expect(server.get("/page.js"), 401)
        expect(server.get("/nope?key=" + KEY), 401)
        check(server.get("/health", Host="any.name:1").status == 200, "any Host")
        server.stop()
        check(KEY not in "".join(server.log), "the log holds a key")
        for entry in server.log:
            json.loads(entry)


# ---- bodies ----

def test_headers(server):
    """Headers that other programs on the way may read differently are refused, and the connection ends with them."""
    after = line(server, "GET /nope HTTP/1.1")
    for headers in (("Transfer-Encoding : chunked",), ("Content-Length : 5",), (" X: y",), ("X Y: z",), ("X\x0bY: z",),
                    ("X: y\rContent-Length: 5",), ("X: \x07",), ("X: \x7f",),
                    ("Content-Type: application/json", "Content-Type: text/plain"), ("Idempotency-Key: a", "Idempotency-Key: b"),
                    (f"Origin: http://127.0.0.1:{server.port}", "Origin: http://evil"), ("Authorization: x", "authorization: y")):
        data = server.raw(line(server, "GET /health HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *headers, "Connection: close"))
        status, body = status_of(data)
        check(status == 400 and json.loads(body)["error"]["message"], (headers, data))
        if " :" in headers[0]:
            data = server.raw(line(server, "POST /api/jobs HTTP/1.1", *headers) + after)
            check(data.count(b"HTTP/1.1 ") == 1, (headers, data))
    expect(server.post("/api/jobs", b"{}", Content_Type="application/json", Content_Encoding="gzip"), 415, "Content-Encoding")
    check(server.post("/api/jobs", b"{}", Content_Type="application/json", Content_Encoding="identity").status == 422, "identity")


def test_addresses(server):
    """Addresses with a host, as clients of a proxy send them."""
    host, port = "127.0.0.1", server.port
    for address, status in ((f"http://{host}:{port}/health", 200), (f"HTTP://{host}:{port}/health?x=1", 200),
                            (f"http://{host}:{port}", 200), (f"http://{host}:{port}/nope", 404), (f"http://{host}/health", 400),
                            (f"http://evil.example/health", 400), (f"http://{host}:{port}.evil/health", 400),
                            (f"ftp://{host}:{port}/health", 404), ("http://", 400)):
        data = server.raw(line(server, f"GET {address} HTTP/1.1", "Connection: close"))
        check(status_of(data)[0] == status, (address, data[:300]))


def test_chunks(server):
    """Bodies in chunks: with extensions and trailers, damaged, and of a version that has none."""
    def send(data, version="1.1"):
        head = line(server, f"POST /sdapi/v1/png-info HTTP/{version}", "Content-Type: application/json", "Transfer-Encoding: chunked",
                    "Connection: close")
        return status_of(server.raw(head + data))
    good = b"2\r\n{}\r\n0\r\n\r\n"
    check(send(good) == send(b"1;a=b\r\n{\r\n1;c=\"d\"\r\n}\r\n0;e\r\nHost: evil\r\nX: y\r\n\r\n") and send(good)[0] == 422, send(good))
    for data in (b"zz\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"2;" + b"a" * 100000 + b"\r\n{}\r\n0\r\n\r\n"):
        status, body = send(data)
        check(status == 400 and json.loads(body)["error"]["message"], (data[:20], status))
    check(send(b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n")[0] in (400, 413), "a huge chunk")
    check(send(good, "1.0")[0] == 400, "chunks in HTTP/1.0")


def test_framing(server):
    host = f"Host: 127.0.0.1:{server.port}"
    bad = [("Content-Length: abc",), ("Content-Length: -1",), ("Content-Length: 1", "Content-Length: 1"),
           ("Content-Length: 4", "Transfer-Encoding: chunked"), ("Transfer-Encoding: gzip",),
           ("Transfer-Encoding: chunked, chunked",), ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
           ("Content-Length: 99999999999999999999",), ("Content-Length: +5",), ("Content-Length: 0x5",)]
    for headers in bad:
        data = "\r\n".join(["POST /health HTTP/1.1", host, *headers, "", "body"]).encode()
        status, body = status_of(server.raw(data))
        check(status in (400, 413), (status, headers))
        check(json.loads(body)["error"]["message"], headers)
    for junk in (b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n",
                 b"GET /health HTTP/9.9\r\n\r\n", b"GET /health HTTP/1.1\r\nno colon\r\n\r\n"):
        status, _ = status_of(server.raw(junk + b"\r\n"))
        check(status in (0, 400, 414, 505), (junk, status))
    large = server.raw(line(server, "GET /health HTTP/1.1", "X-Large: " + "a" * 200000))
    status, body = status_of(large)
    check(status in (413, 431) and json.loads(body)["error"]["message"], status)
    check(server.get("/health").status == 200, "alive")


def test_first_lines(server):
    """What libmicrohttpd refuses by itself is answered in JSON, too, but for a line without a space."""
    good, long = line(server, "GET /health HTTP/1.1"), b"GET /" + b"a" * 100000
    for before in b"", good:
        for status, data in ((414, long), (414, long + b" HTTP/1.1\r\n\r\n"), (505, b"GET /health HTTP/9.9\r\n\r\n"),
                             (400, b"GET /health\r\n\r\n"), (0, b"GARBAGE\r\n\r\n")):
            answer = server.raw(before + data)
            parts = answer.split(b"HTTP/1.1 ")[1 + bool(before):]
            check(len(parts) == bool(status), answer)
            check(not status or parts[0].startswith(b"%d " % status), (status, answer))
            check(not status or json.loads(parts[0].split(b"\r\n\r\n")[1])["error"]["message"], answer)


def test_pipeline(server):
    one = line(server, "GET /health HTTP/1.1")
    last = line(server, "GET /nope HTTP/1.1", "Connection: close")
    data = server.raw(one * 20 + last)
    check(data.count(b"HTTP/1.1 200") == 20 and data.count(b"HTTP/1.1 404") == 1, data[-300:])


def test_early_answers(server):
    """A body that is refused by its headers: the client gets the answer, though it sends everything first."""
    expect(server.post("/nope", b"x" * (8 << 20), Content_Type="application/json"), 404)
    expect(server.post("/health", b"x" * (1 << 20)), 405)
    declared = line(server, "POST /health HTTP/1.1", "Content-Length: 100000000000")
    check(status_of(server.raw(declared))[0] in (405, 413), "a huge length")


# ---- slow and many clients ----

class Slow(threading.Thread):
    """Sends a start, then a byte each quarter of a second, and measures how long the server bears it."""

    def __init__(self, server, start, piece):
        super().__init__()
        self.server, self.start_bytes, self.piece, self.seconds, self.answer = server, start, piece, 0, b""

    def run(self):
        began = time.monotonic()
        with socket.create_connection((self.server.host, self.server.port), timeout=90) as link:
            link.setblocking(True)
            link.settimeout(0.25)
            link.sendall(self.start_bytes)
            while time.monotonic() - began < 90:
                try:
                    data = link.recv(4096)
                    if not data:
                        break
                    self.answer += data
                except socket.timeout:
                    try:
                        link.sendall(self.piece)
                    except OSError:
                        break
                except OSError:
                    break
        self.seconds = time.monotonic() - began


def begin_slow(server):
    """Clients that take turns with other tests, since they take a while."""
    clients = {"headers": Slow(server, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
               "line": Slow(server, b"GET /hea", b"l"),
               "stalled": Slow(server, b"POST /health HTTP/1.1\r\nHo", b""),
               "newlines": Slow(server, b"\r\n" * 300, b"\r\n"),
               "zeros": Slow(server, b"\0" * 40, b"\0"),
               "nothing": Slow(server, b"", b"")}
    for client in clients.values():
        client.start()
    return clients


def end_slow(clients):
    for name, client in clients.items():
        if name != "nothing":
            client.join()
            check(8 < client.seconds < 16, f"{name}: {client.seconds:.1f} s")
            check(status_of(client.answer)[0] in (0, 408), client.answer)


def test_many(server):
    """600 silent connections: others are answered meanwhile."""
    links = []
    try:
        for _ in range(600):
            links.append(socket.create_connection((server.host, server.port), timeout=20))
        began = time.monotonic()
        check(server.get("/health", timeout=20).status == 200, "health")
        check(time.monotonic() - began < 10, "answered late")
        for link in links[:50]:
            link.sendall(b"GET / HTTP/1.1\r\n")
        check(server.get("/health", timeout=20).status == 200, "health")
    finally:
        for link in links:
            link.close()
    check(server.get("/health").status == 200, "health after")


def test_parallel(server):
    failures = []

    def work():
        try:
            for _ in range(20):
                check(server.get("/health").status == 200, "health")
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not failures, failures[:1])


# ---- start and stop ----

def test_refusals(folder):
    empty, broken = os.path.join(folder, "empty"), os.path.join(folder, "broken")
    open(empty, "w", encoding="ascii").close()
    with open(broken, "w", encoding="ascii") as file:
        file.write("two words\n")
    taken = socket.create_server(("127.0.0.1", 0))
    cases = [(("--listen-ip", "0.0.0.0"), "--api-key-file"), (("--listen-ip", "::"), "--api-key-file"),
             (("--listen-ip", "nonsense"), "nonsense"), (("--listen-port", "70000"), "70000"),
             (("--listen-port", str(taken.getsockname()[1])), str(taken.getsockname()[1])),
             (("--api-key-file", empty), empty), (("--api-key-file", broken), broken),
             (("--api-key-file", os.path.join(folder, "missing")), "missing"), (("argument",), "argument"),
             (("--max-queue", "many"), "many"), (("--log", "loud"), "loud"), (("--cors", "*"), "*"),
             (("--cors", "https://a.example/"), "a.example/")]
    for arguments, word in cases:
        status, out, err = refuse(PROGRAM, "--state", os.path.join(folder, "state"), *arguments)
        check(status in (1, 2) and out == "", (arguments, status, out))
        check(word in err and err.count("\n") == 1, (arguments, err))
    taken.close()


def test_stop(folder):
    for number in (15, 2):
        server = Server(PROGRAM, "--listen-ip", "::1" if number == 2 else "127.0.0.1")
        idle = socket.create_connection((server.host, server.port))
        half = socket.create_connection((server.host, server.port))
        half.sendall(b"POST /api/jobs HTTP/1.1\r\nHost: x")
        began = time.monotonic()
        check(server.stop(number) == 0, "exit status")
        check(time.monotonic() - began < (10 if SANITIZED else 3), f"{time.monotonic() - began:.1f} s")
        idle.close()
        half.close()


def main():
    need_device(PROGRAM)
    with tempfile.TemporaryDirectory() as folder, Server(PROGRAM, "--log", "json") as server:
        test_first_lines(server)
        slow = begin_slow(server)
        for test in (test_health, test_page, test_paths, test_methods, test_keep_alive, test_hosts, test_origins, test_headers,
                     test_addresses, test_chunks, test_framing,
                     test_pipeline, test_early_answers, test_parallel):
            test(server)
        test_cors()
        test_keys(folder)
        test_refusals(folder)
        test_stop(folder)
        end_slow(slow)
        test_many(server)
        check(server.stop() == 0, f"exit status {server.process.returncode}: {''.join(server.log[-5:])}")
        for entry in server.log:
            record = json.loads(entry)
            check("time" in record and not re.search(r"[\x00-\x1f\x7f]", entry[:-1]), entry)
    print("good")


main()
