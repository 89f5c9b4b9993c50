"""The stage of the integration tests: real processes, real sockets; needs only the standard library.

    Stage      starts and ends them; its end asserts what holds for every test
    Gateway    the binary under test (GATEWAY_BINARY), on a port of its own
    Origin     a scripted backend: sends what the test says, byte for byte, and remembers what it got
    Example    examples/backend under uvicorn
    Client     a raw socket with a strict reader of responses

Nothing sleeps and hopes: wait_until waits for a condition, reads wait for bytes, and all of them have a bound."""
import collections
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("GATEWAY_BINARY", os.path.join(ROOT, "visara-gateway"))
TRANSPORT = os.environ.get("GATEWAY_TEST_TRANSPORT", "auto")
SANITIZER = os.environ.get("GATEWAY_TEST_SANITIZER", "")
# Bounds are generous: they end a test that hangs, and no test passes by being fast.
PATIENCE = 60 if SANITIZER else 30
REPORTS = re.compile(rb"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|UndefinedBehaviorSanitizer|Assertion .* failed"
                     rb"|ended with open handles|no move from)")
TOKEN = re.compile(rb"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")


def wait_until(condition, what, seconds=None):
    """The first true value of condition(); fails after the bound."""
    ends = time.monotonic() + (seconds or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise AssertionError("waited in vain: %s" % what)
        time.sleep(0.005)


class Port:
    """A port that no other test takes. It lies below the ephemeral range, and a name in the abstract namespace reserves it until it is
    released. That name belongs to the same network namespace as the port, and leaves no file."""

    def __init__(self):
        for _ in range(1000):
            self.number = random.SystemRandom().randrange(10000, 30000)
            self.lock = socket.socket(socket.AF_UNIX)
            try:
                self.lock.bind("\0visara-gateway-test-port-%d" % self.number)
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", self.number))
                return
            except OSError:
                self.lock.close()
        raise AssertionError("no free port")

    def release(self):
        self.lock.close()


# ---------------------------------------------------------------------------------------------------------- messages


class Malformed(AssertionError):
    """The bytes are not well-formed HTTP/1.1."""


class Truncated(AssertionError):
    """The stream ended within a message; .message holds the part that came, .cause says whether the stream was reset."""

    def __init__(self, message, cause):
        super().__init__("the stream ended within a message (%s): %r" % (cause, message))
        self.message, self.cause = message, cause


class Message:
    def __init__(self, start, fields, raw):
        self.start, self.fields, self.raw = start, fields, raw
        self.body, self.chunks, self.trailers, self.interim = b"", [], [], []

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def field(self, name):
        """Value of a field that may be there only once; None if it is absent."""
        values = self.all(name)
        assert len(values) <= 1, "%s is there %d times: %r" % (name, len(values), self.fields)
        return values[0] if values else None

    def has(self, name):
        return bool(self.all(name))

    def json(self):
        return json.loads(self.body)

    @property
    def is_chunked(self):
        return (self.field("Transfer-Encoding") or "").lower() == "chunked"

    def __repr__(self):
        return "<%s %r %d bytes %r>" % (self.start, self.fields, len(self.body), self.body[:200])


class Response(Message):
    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def reason(self):
        return self.start.split(" ", 2)[2]


class Request(Message):
    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]


class Reader:
    """Reads messages from a socket by RFC 9112's grammar and forgives nothing."""

    def __init__(self, sock, kind):
        self.sock, self.kind, self.buffer, self.ended = sock, kind, bytearray(), None
        self.raw = bytearray() if kind is Request else None

    def fill(self):
        """False at the end of the stream; .ended then says how it ended."""
        try:
            piece = self.sock.recv(262144)
        except (ConnectionResetError, BrokenPipeError):
            self.ended = "reset"
            return False
        if not piece:
            self.ended = "closed"
            return False
        self.buffer += piece
        if self.raw is not None:
            self.raw += piece
        return True

    def take(self, count, message):
        while len(self.buffer) < count:
            if not self.fill():
                message.body += bytes(self.buffer)
                raise Truncated(message, self.ended)
        piece = bytes(self.buffer[:count])
        del self.buffer[:count]
        return piece

    def line(self, message):
        while b"\n" not in self.buffer:
            if len(self.buffer) > 1 << 20:
                raise Malformed("a line of more than 1 MiB")
            if not self.fill():
                raise Truncated(message, self.ended)
        line = self.take(self.buffer.index(b"\n") + 1, message)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise Malformed("a line is not ended by CRLF alone: %r" % line)
        return line[:-2]

    def head(self):
        """A message's head, or None at the end of the stream."""
        while not self.buffer:
            if not self.fill():
                return None
        message = self.kind("", [], b"")
        lines = [self.line(message)]
        while lines[-1]:
            lines.append(self.line(message))
        pattern = rb"HTTP/1\.1 [1-9]\d\d [\t -~\x80-\xff]*$" if self.kind is Response else rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~\x80-\xff]+ HTTP/1\.1$"
        if not re.match(pattern, lines[0]):
            raise Malformed("start line: %r" % lines[0])
        message.start, message.raw = lines[0].decode("latin-1"), b"\r\n".join(lines) + b"\r\n"
        message.fields = [self.parsed(line) for line in lines[1:-1]]
        if message.has("Transfer-Encoding") and message.has("Content-Length"):
            raise Malformed("Content-Length and Transfer-Encoding: %r" % message.fields)
        if self.kind is Request and len(message.all("Host")) != 1:
            raise Malformed("Host: %r" % message.fields)
        return message

    @staticmethod
    def parsed(line):
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name) or re.search(rb"[\0-\x08\x0a-\x1f\x7f]", value):
            raise Malformed("field line: %r" % line)
        return name.decode(), value.strip(b" \t").decode("latin-1")

    def body(self, message):
        for piece in self.pieces(message):
            message.body += piece

    def pieces(self, message):
        """The body piece by piece; the bytes that follow the last piece (trailers) are read, too."""
        if message.has("Transfer-Encoding"):
            if message.all("Transfer-Encoding") != ["chunked"]:
                raise Malformed("Transfer-Encoding: %r" % message.all("Transfer-Encoding"))
            yield from self.chunks(message)
        elif message.has("Content-Length"):
            if not re.match(r"\d+$", message.field("Content-Length")):
                raise Malformed("Content-Length: %r" % message.fields)
            left = int(message.field("Content-Length"))
            while left:
                if not self.buffer and not self.fill():
                    raise Truncated(message, self.ended)
                piece = self.take(min(left, len(self.buffer)), message)
                left -= len(piece)
                yield piece
        elif self.kind is Response:
            while self.buffer or self.fill():
                yield self.take(len(self.buffer), message)
            if self.ended != "closed":
                raise Truncated(message, self.ended)

    def chunks(self, message):
        while True:
            line = self.line(message)
            if not re.match(rb"[0-9A-Fa-f]{1,16}$", line):
                raise Malformed("chunk size: %r" % line)
            size = int(line, 16)
            if not size:
                break
            message.chunks.append(size)
            yield self.take(size, message)
            if self.line(message):
                raise Malformed("a chunk is longer than its size")
        while True:
            line = self.line(message)
            if not line:
                return
            message.trailers.append(self.parsed(line))


def reply(status=200, fields=(), body=b"", chunked=False, reason="X"):
    """The bytes of a response; the framing is made here unless `fields` has it."""
    names = [name.lower() for name, _ in fields]
    lines = ["HTTP/1.1 %d %s" % (status, reason)] + ["%s: %s" % field for field in fields]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in ([body] if isinstance(body, bytes) else body) if piece) + b"0\r\n\r\n"
    elif "content-length" not in names and status >= 200 and status not in (204, 304):
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


# ------------------------------------------------------------------------------------------------------------ client


class Client:
    """One connection to a port of this machine."""

    def __init__(self, port, receive_buffer=None, host="127.0.0.1", source=None):
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        try:
            if source:
                self.sock.bind((source, 0))
            self.sock.connect((host, port))
        except OSError:
            self.sock.close()
            raise
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock, Response)
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def ask(self, method="GET", target="/", fields=(), body=None, chunked=False, host="gateway.test", version="1.1"):
        """Sends a request; read the answer with .read()."""
        names = [name.lower() for name, _ in fields]
        lines = ["%s %s HTTP/%s" % (method, target, version)]
        if host is not None and "host" not in names:
            lines.append("Host: %s" % host)
        lines += ["%s: %s" % field for field in fields]
        data = b""
        if chunked:
            lines.append("Transfer-Encoding: chunked")
            pieces = [body] if isinstance(body, bytes) else body
            data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
        elif body is not None:
            lines.append("Content-Length: %d" % len(body))
            data = body
        self.asked.append(method)
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + data)

    def read_head(self):
        """The head of the next final response; earlier 1xx are in .interim. Truncated if the stream ends instead."""
        interim = []
        while True:
            response = self.reader.head()
            if response is None:
                raise Truncated(Response("nothing", [], b""), self.reader.ended)
            if response.status >= 200 or response.status == 101:
                response.interim = interim
                return response
            interim.append(response)

    def read(self, method=None):
        """The next response, whole. `method`: of the request, if ask() did not send it."""
        method = method or (self.asked.pop(0) if self.asked else "GET")
        response = self.read_head()
        if method != "HEAD" and response.status not in (204, 304):
            self.reader.body(response)
        return response

    def get(self, target="/", fields=(), **more):
        self.ask("GET", target, fields, **more)
        return self.read()

    def read_rest(self):
        """All bytes until the stream ends."""
        while self.reader.fill():
            pass
        rest, self.reader.buffer = bytes(self.reader.buffer), bytearray()
        return rest

    def assert_closed(self):
        """Nothing more comes, and the other side closes."""
        rest = self.read_rest()
        assert rest == b"", "more came before the end: %r" % rest[:300]


def fetch(port, target="/", fields=(), method="GET", body=None, **more):
    """One request on a connection of its own."""
    with Client(port) as client:
        client.ask(method, target, list(fields) + [("Connection", "close")], body, **more)
        return client.read()


# ------------------------------------------------------------------------------------------------------------ origin


class Cut(Exception):
    """The handler ended the connection."""


class Call:
    """One request that reached the origin; a handler answers it."""

    def __init__(self, origin, connection, request, number):
        self.origin, self.connection, self.request, self.number = origin, connection, request, number

    def send(self, data):
        self.connection.sock.sendall(data)

    def respond(self, *arguments, **more):
        data = reply(*arguments, **more)
        if self.request.method == "HEAD":
            data = data[:data.index(b"\r\n\r\n") + 4]
        self.send(data)

    def read_body(self):
        self.connection.reader.body(self.request)
        return self.request.body

    def pieces(self):
        return self.connection.reader.pieces(self.request)

    def wait(self, event):
        """Waits until the test sets the event; the end of the stage sets it, too."""
        while not event.wait(0.02):
            if self.origin.stopping:
                raise Cut()

    def wait_for_close(self):
        """Until the gateway closes this connection."""
        while self.connection.reader.fill():
            pass
        return self.connection.reader.ended

    def close(self):
        raise Cut()

    def reset(self):
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Cut()


class Connection:
    def __init__(self, sock):
        self.sock, self.reader = sock, Reader(sock, Request)

    def wrap(self, context):
        self.sock = self.reader.sock = context.wrap_socket(self.sock, server_side=True)


class Origin:
    """A scripted backend. `on(path, handler)`: handler(call), or bytes to send, or keyword arguments of reply()."""

    def __init__(self, receive_buffer=None, tls=None):
        self.tls = tls
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.lock = threading.Lock()
        self.handlers, self.streamed, self.numbers = {}, set(), collections.Counter()
        self.requests, self.connections, self.faults, self.threads = [], [], [], []
        self.stopping = False
        self.start(self.accept)

    def start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def on(self, path, handler=None, streamed=False, **canned):
        """streamed: the handler reads the request's body itself."""
        if handler is None:
            handler = lambda call: call.respond(**canned)
        elif isinstance(handler, bytes):
            data = handler
            handler = lambda call: call.send(data)
        self.handlers[path] = handler
        if streamed:
            self.streamed.add(path)

    def count(self, path=None):
        return len(self.seen(path))

    def seen(self, path=None):
        with self.lock:
            return [request for request in self.requests if path is None or request.target.partition("?")[0] == path]

    def last(self, path=None):
        return self.seen(path)[-1]

    def raw(self):
        """All bytes that ever came, connection by connection."""
        with self.lock:
            return [bytes(connection.reader.raw) for connection in self.connections]

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock)
            with self.lock:
                self.connections.append(connection)
            self.start(self.serve, connection)

    def serve(self, connection):
        try:
            if self.tls:
                connection.wrap(self.tls)
            while True:
                request = connection.reader.head()
                if request is None:
                    break
                self.answer(connection, request)
        except (Cut, OSError, Truncated):
            pass
        except Exception as fault:  # pylint: disable=broad-except
            if not self.stopping:
                self.faults.append("%r in %r" % (fault, bytes(connection.reader.raw[:300])))
        finally:
            connection.sock.close()

    def answer(self, connection, request):
        path = request.target.partition("?")[0]
        if path not in self.streamed:
            try:
                connection.reader.body(request)
            except Truncated:
                request.truncated = True
                with self.lock:
                    self.requests.append(request)
                raise
        with self.lock:
            self.requests.append(request)
            self.numbers[path] += 1
            number = self.numbers[path]
        handler = self.handlers.get(path, lambda call: call.respond(body=b"origin"))
        handler(Call(self, connection, request, number))

    def stop(self):
        self.stopping = True
        self.close_listener()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a thread of the origin hangs"
        assert not self.faults, "the gateway sent the origin something malformed: %s" % self.faults

    def close_listener(self):
        """From now on connections are refused; open ones stay."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# --------------------------------------------------------------------------------------------------------- processes


def clean_environment(**more):
    """The environment without variables that would configure a gateway by accident."""
    ours = re.compile(r"^(GATEWAY_|BACKEND_URL|REDIS_URL|RATE_LIMIT_|CACHE_|TRUSTED_PROXIES|LOG_|.*_proxy$|.*_PROXY$)")
    environment = {name: value for name, value in os.environ.items() if not ours.match(name)}
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99:strict_string_checks=1")
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    environment.setdefault("TSAN_OPTIONS", "halt_on_error=1:exitcode=98:second_deadlock_stack=1")
    environment.update({name: str(value) for name, value in more.items()})
    return environment


def merged(below, above):
    result = dict(below)
    for key, value in above.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result


class Process:
    """A child with its output in files: a full pipe can never stop it."""

    def __init__(self, folder, name, command, environment):
        self.name, self.folder = name, folder
        self.out_path, self.error_path = os.path.join(folder, name + ".out"), os.path.join(folder, name + ".err")
        with open(self.out_path, "wb") as out, open(self.error_path, "wb") as error:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=error, env=environment)

    def out(self):
        with open(self.out_path, "rb") as file:
            return file.read()

    def errors(self):
        with open(self.error_path, "rb") as file:
            return file.read()

    def wait_until_ready(self, port, target):
        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError("%s ended with %d: %s" % (self.name, self.process.returncode, self.errors().decode(errors="replace")[-3000:]))
            try:
                return fetch(port, target).status < 600
            except (OSError, Truncated):
                return False
        wait_until(is_ready, "%s answers on port %d" % (self.name, port))

    def end(self, sent, seconds):
        """The exit status after a signal (0: none is sent)."""
        if sent and self.process.poll() is None:
            self.process.send_signal(sent)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("%s did not end within %d s: %s" % (self.name, seconds, self.errors().decode(errors="replace")[-3000:])) from None


class Gateway(Process):
    DRAIN_S = 20
    DEFAULTS = {
        "server": {"workers": 1, "drain_timeout": "%ds" % DRAIN_S},
        "limits": {"enabled": False},
        "cache": {"enabled": False},
        "log": {"access": "stdout", "format": "json"},
    }

    def __init__(self, folder, name, backend, config, environment, arguments, files=None):
        self.lease = Port()
        self.port = self.lease.number
        ours = {"server": {"port": self.port}, "backend": {"transport": TRANSPORT}}
        if backend is not None:
            ours["backend"]["url"] = backend
        self.config = merged(merged(self.DEFAULTS, ours), config)
        path = os.path.join(folder, name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)
        limit = ["prlimit", "--nofile=%d:%d" % (files, files)] if files else []
        super().__init__(folder, name, limit + [BINARY, "--config", path] + list(arguments), clean_environment(**environment))

    def client(self, **more):
        return Client(self.port, **more)

    def fetch(self, target="/", fields=(), method="GET", **more):
        return fetch(self.port, target, fields, method, **more)

    def stats(self):
        return self.fetch("/gateway/stats").json()

    def wait_for_tracking(self):
        """Until Redis' messages keep the memory cache true."""
        wait_until(lambda: self.stats().get("near_cache_coherent"), "the memory cache is kept coherent")
        return self

    def metric(self, line):
        """Value of one series, written as on the page, or None."""
        for text in self.fetch("/gateway/metrics").body.decode().splitlines():
            if text.startswith(line + " "):
                return float(text.rsplit(" ", 1)[1])
        return None

    def metric_sum(self, family, **labels):
        """Sum of a family's series that carry these labels."""
        total = 0.0
        for text in self.fetch("/gateway/metrics").body.decode().splitlines():
            match = re.match(r"%s(?:\{(.*)\})? (\S+)$" % re.escape(family), text)
            if match and all('%s="%s"' % pair in (match[1] or "") for pair in labels.items()):
                total += float(match[2])
        return total

    def access_log(self, count=1, path=None):
        """The access log's lines (of a path), when there are that many."""
        def lines():
            found = [json.loads(line) for line in self.out().splitlines() if line.endswith(b"}")]
            found = [line for line in found if path is None or line.get("path", "").partition("?")[0] == path]
            return found if len(found) >= count else None
        return wait_until(lines, "%d lines in the access log: %r" % (count, self.out()[-2000:]))

    def rss(self):
        """Resident bytes now."""
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self):
        """Seconds of CPU time that the process has used."""
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def files(self):
        """How many files the process has open."""
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.process.pid))

    def assert_lives(self):
        assert self.process.poll() is None, "the gateway ended with %d: %s" % (self.process.returncode, self.errors().decode(errors="replace")[-6000:])

    def stop(self, sent=signal.SIGTERM):
        """Asserts what holds at the end of every test: exit 0, nothing in flight that only the drain's bound could end, no report of a
        sanitizer or of open handles, the port is free."""
        began = time.monotonic()
        status = self.end(sent, PATIENCE)
        took = time.monotonic() - began
        errors = self.errors()
        report = REPORTS.search(errors)
        self.lease.release()
        assert not report, "the gateway was caught:\n%s" % errors.decode(errors="replace")[-8000:]
        assert took < self.DRAIN_S, "the drain waited %.1f s for something that never ends: %s" % (took, errors.decode(errors="replace")[-3000:])
        assert status == 0, "the gateway ended with %d: %s" % (status, errors.decode(errors="replace")[-6000:])
        with contextlib.closing(socket.socket()) as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0, "something still listens on the gateway's port"


class Example(Process):
    """examples/backend, or another application of this tree, under uvicorn."""

    def __init__(self, folder, name, app="examples/backend/app.py", **environment):
        self.lease = Port()
        self.port = self.lease.number
        self.url = "http://127.0.0.1:%d" % self.port
        path, module = os.path.split(os.path.join(ROOT, app))
        command = ["/usr/bin/python3", "-m", "uvicorn", "--app-dir", path,
                   "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning", module.removesuffix(".py") + ":app"]
        super().__init__(folder, name, command, clean_environment(PYTHONDONTWRITEBYTECODE="1", **environment))

    def stop(self):
        self.end(signal.SIGTERM, PATIENCE)
        self.lease.release()


class Stage:
    """Ends in reverse order: the gateways before the backends that they may still ask."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="visara-gateway-test-")
        self.gateways, self.actors = [], []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(failed=kind is not None)

    def origin(self, **more):
        self.actors.append(Origin(**more))
        return self.actors[-1]

    def example(self, *app, **environment):
        example = Example(self.folder, "example%d" % len(self.actors), *app, **environment)
        self.actors.append(example)
        example.wait_until_ready(example.port, "/health")
        return example

    def gateway(self, backend=None, config=None, environment=None, arguments=(), ready=True, files=None):
        """backend: an Origin, an Example or a URL. files: how many files the gateway may have open."""
        url = backend if backend is None or isinstance(backend, str) else backend.url
        gateway = Gateway(self.folder, "gateway%d" % len(self.actors), url, config or {}, environment or {}, arguments, files)
        self.gateways.append(gateway)
        self.actors.append(gateway)
        if ready:
            gateway.wait_until_ready(gateway.port, "/gateway/health")
        return gateway

    def close(self, failed=False):
        faults = []
        for actor in reversed(self.actors):
            try:
                actor.stop()
            except AssertionError as fault:
                faults.append(str(fault))
        shutil.rmtree(self.folder, ignore_errors=True)
        if faults and failed:  # raise the test's own failure
            print("\n".join(faults), file=sys.stderr)
        elif faults:
            raise AssertionError("\n".join(faults))


class Scene(unittest.TestCase):
    """Tests that share one stage, set by set_stage; each test also checks that the gateways still live."""
    maxDiff = None

    @classmethod
    def set_stage(cls, stage):
        pass

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        try:
            cls.set_stage(cls.stage)
        except BaseException:
            cls.stage.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def tearDown(self):
        for gateway in self.stage.gateways:
            gateway.assert_lives()

    def assert_error(self, response, status, code=None):
        """An error that the gateway itself answers: JSON with the request's id in it."""
        self.assertEqual(response.status, status, response)
        self.assertRegex(response.field("Content-Type") or "", r"^application/(problem\+)?json")
        told = response.json()
        self.assertEqual(told.get("request_id"), response.field("X-Request-Id"), response)
        if code:
            self.assertEqual(told.get("error"), code, response)


def in_parallel(count, function):
    """function(0 … count-1), each in a thread, begun together; returns their results in order. A failure is raised here."""
    results, faults, start = [None] * count, [], threading.Barrier(count)

    def run(index):
        try:
            start.wait(PATIENCE)
            results[index] = function(index)
        except BaseException as fault:  # pylint: disable=broad-except
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), "a client hangs"
    if faults:
        raise faults[0]
    return results


def main():
    unittest.main(verbosity=2)
