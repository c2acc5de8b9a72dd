# SPDX-License-Identifier: MIT
"""Starts `fumarole serve` for a test, and talks to it."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading

SANITIZED = "LSAN_OPTIONS" in os.environ  # then everything takes longer


class Answer:
    """An answer: status, headers (without regard to case), body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """A server on a free port with a state folder of its own, unless the arguments name one."""

    def __init__(self, program, *arguments, env=None, state=None):
        self.folder = None if state else tempfile.TemporaryDirectory(prefix="fumarole-serve-")
        self.state = state or self.folder.name
        line = [program, "serve", "--listen-port", "0", "--state", self.state, *arguments]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        errors="replace", env=dict(os.environ, **(env or {})))
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.first_line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on http://(\[[\da-f:]+\]|[\d.]+):(\d+)\n", self.first_line)
        if not found:
            self.process.wait()
            self.reader.join()
            raise AssertionError(f"first line {self.first_line!r}; standard error: {''.join(self.log)}")
        self.host, self.port = found[1].strip("[]"), int(found[2])

    def request(self, method, path, body=None, timeout=60, **headers):
        """Sends a request on a connection of its own. A dict or list as the body becomes JSON. Header names take _ for -."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        link = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            link.close()

    def get(self, path, **headers):
        return self.request("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.request("POST", path, body, **headers)

    def raw(self, data, timeout=20):
        """Sends bytes as they are, and returns everything that comes until the server closes."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as link:
            link.sendall(data)
            return read_all(link)

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Ends the server, and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        self.reader.join(10)
        self.process.stdout.close()
        if self.folder:
            self.folder.cleanup()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL if self.process.poll() is None else signal.SIGTERM)


def read_all(link):
    data = b""
    try:
        while piece := link.recv(65536):
            data += piece
    except (ConnectionError, socket.timeout) as end:
        if isinstance(end, socket.timeout):
            raise AssertionError(f"the server neither answered whole nor closed; so far {data[:200]!r}") from end
    return data


def refuse(program, *arguments):
    """Runs a server that must not start. Returns its exit status, standard output and standard error."""
    done = subprocess.run([program, "serve", "--listen-port", "0", *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr
