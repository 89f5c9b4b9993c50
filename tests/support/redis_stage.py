"""A Redis for one test alone, and a client for it; needs only the standard library.

    RedisServer   one server on a port of its own, empty, without persistence: in a container if a Docker engine answers (DOCKER_HOST,
                  else /var/run/docker.sock) and has or gets an image, else the installed redis-server
    Resp          one connection that speaks RESP2

GATEWAY_TEST_REDIS=server never asks for an engine; =container fails if there is none. GATEWAY_TEST_REDIS_IMAGE names another image.
The choice is printed once. Tests never share a server. A server ends with its `with` block or stop(), else with the process. If a
process was killed, the next process on this machine removes its containers."""
import atexit
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.parse

from stage import PATIENCE, Port, wait_until

IMAGES = [os.environ["GATEWAY_TEST_REDIS_IMAGE"]] if os.environ.get("GATEWAY_TEST_REDIS_IMAGE") else ["redis:7-bookworm", "redis:8-trixie"]
QUIET = ["--save", "", "--appendonly", "no"]
LABEL = "visara-gateway-test"


class RedisError(Exception):
    """An error reply; .code is its first word."""

    @property
    def code(self):
        return str(self).partition(" ")[0]


def command_bytes(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Resp:
    """Bulk strings are bytes, simple strings str, errors are raised by command() and returned by read() and pipeline()."""

    def __init__(self, port=None, host="127.0.0.1", path=None, user=None, password=None, seconds=PATIENCE, tls=None):
        """tls: an ssl.SSLContext."""
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(seconds)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection((host, port), timeout=seconds)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock)
        self.reader = self.sock.makefile("rb", 262144)
        if password is not None:
            self.command("AUTH", *([user] if user else []), password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.reader.close()
        self.sock.close()

    def send(self, *words):
        self.sock.sendall(command_bytes(*words))

    def read(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.bulk(int(rest))
        assert kind == b"*", "not RESP2: %r" % line
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def bulk(self, size):
        data = self.reader.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("Redis closed the connection")
        return data[:-2]

    def command(self, *words):
        self.send(*words)
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands, at_once=500):
        """Replies in order, errors among them. Only so many commands are in flight that neither side's buffer can fill up."""
        replies = []
        for start in range(0, len(commands), at_once):
            part = commands[start:start + at_once]
            self.sock.sendall(b"".join(command_bytes(*words) for words in part))
            replies += [self.read() for _ in part]
        return replies


# ------------------------------------------------------------------------------------------------------------ engine


class EngineError(Exception):
    pass


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """The part of the Docker API that is needed here (podman serves it too)."""

    def __init__(self, url):
        self.url, parts = url, urllib.parse.urlsplit(url)
        self.path = parts.path if parts.scheme == "unix" else None
        self.host = "127.0.0.1" if self.path else parts.hostname
        self.port = parts.port or 2375
        if parts.scheme not in ("unix", "tcp", "http"):
            raise EngineError("an engine at %s is not known here" % url)

    def ask(self, method, target, body=None, seconds=120):
        """The answer's JSON (or bytes); EngineError if the engine refuses."""
        connection = UnixConnection(self.path, seconds) if self.path else http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request(method, target, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            data = response.read()
        if response.status >= 400:
            raise EngineError("%s %s: %d %s" % (method, target, response.status, data[:500].decode(errors="replace")))
        is_json = (response.getheader("Content-Type") or "").startswith("application/json")
        return json.loads(data) if is_json and data.count(b"\n") <= 1 and data else data

    def has(self, image):
        try:
            self.ask("GET", "/images/%s/json" % image)
            return True
        except EngineError:
            return False

    def pull(self, image):
        with contextlib.suppress(OSError, EngineError, http.client.HTTPException, ValueError):
            name, _, tag = image.rpartition(":")
            self.ask("POST", "/images/create?fromImage=%s&tag=%s" % (urllib.parse.quote(name, safe=""), tag))
        return self.has(image)

    def sweep(self):
        """Removes the containers of processes that have ended."""
        where = json.dumps({"label": ["%s.host=%s" % (LABEL, socket.gethostname())]})
        for left in self.ask("GET", "/containers/json?all=true&filters=" + urllib.parse.quote(where)):
            if not os.path.exists("/proc/%s" % left["Labels"].get(LABEL + ".pid", "self")):
                with contextlib.suppress(EngineError):
                    self.ask("DELETE", "/containers/%s?force=true" % left["Id"])


class Choice:
    """Made once in a process: (engine, image), or (None, None) for the installed server."""
    lock, made = threading.Lock(), None

    @classmethod
    def get(cls):
        with cls.lock:
            if not cls.made:
                cls.made = cls.make()
                engine, image = cls.made
                told = "%s in a container of %s" % (image, engine.url) if engine else installed_version()
                print("Redis of these tests: %s" % told, file=sys.stderr, flush=True)
            return cls.made

    @classmethod
    def make(cls):
        wanted = os.environ.get("GATEWAY_TEST_REDIS", "")
        url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        why = "GATEWAY_TEST_REDIS=%s" % wanted
        if wanted != "server":
            try:
                engine = Engine(url)
                engine.ask("GET", "/_ping", seconds=5)
                engine.sweep()
                for image in [image for image in IMAGES if engine.has(image)] or [image for image in IMAGES if engine.pull(image)]:
                    return engine, image
                why = "%s has none of %s" % (url, ", ".join(IMAGES))
            except (OSError, EngineError, http.client.HTTPException, ValueError) as fault:
                why = "no engine at %s (%s)" % (url, fault)
        if wanted == "container":
            raise AssertionError("no container for Redis: %s" % why)
        if not shutil.which("redis-server"):
            raise AssertionError("%s, and redis-server is not installed" % why)
        return None, None


def installed_version():
    return "installed " + " ".join(subprocess.check_output(["redis-server", "--version"], text=True).split()[:3])


# ----------------------------------------------------------------------------------------------------------- servers


class Certificate:
    """Self-signed, for the given names ("DNS:localhost,IP:127.0.0.1"): it is its own authority."""

    def __init__(self, folder, name, names):
        self.path, self.key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names,
                        "-keyout", self.key, "-out", self.path], check=True, capture_output=True)

    def copied_to(self, folder):
        """Copies it to a place where a server in a container can find and read it."""
        copy = object.__new__(Certificate)
        copy.path, copy.key = (shutil.copy(path, folder) for path in (self.path, self.key))
        os.chmod(copy.key, 0o644)
        return copy

    def context(self):
        """The context of a client that trusts only this certificate, whatever its name is."""
        context = ssl.create_default_context(cafile=self.path)
        context.check_hostname = False
        return context


class Installed:
    """redis-server as a child."""

    def __init__(self, folder, port):
        self.folder, self.port, self.host, self.process = folder, port, "127.0.0.1", None
        self.inner_port = port

    def start(self, arguments):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder] + QUIET + arguments
        with open(os.path.join(self.folder, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def send(self, sent):
        self.process.send_signal(sent)

    def wait(self):
        self.process.wait(PATIENCE)

    def remove(self):
        if self.is_running():
            self.process.kill()
            self.process.wait(PATIENCE)

    def log(self):
        with open(os.path.join(self.folder, "redis.log"), "rb") as file:
            return file.read()


class Contained:
    """The same in a container. The folder is mounted at its own path, so that files for the server (ACL, certificates, a socket) have
    one name if the engine runs on this machine."""

    def __init__(self, folder, port, engine, image):
        self.folder, self.port, self.host, self.engine, self.image, self.id = folder, port, engine.host, engine, image, None
        self.inner_port = 6379
        os.chmod(folder, 0o777)

    def start(self, arguments):
        self.remove()
        command = ["redis-server", "--bind", "0.0.0.0", "--port", "6379", "--protected-mode", "no"] + QUIET + arguments
        self.id = self.engine.ask("POST", "/containers/create", {
            "Image": self.image, "Cmd": command, "ExposedPorts": {"6379/tcp": {}},
            "Labels": {LABEL + ".host": socket.gethostname(), LABEL + ".pid": str(os.getpid())},
            "HostConfig": {
                "PortBindings": {"6379/tcp": [{"HostIp": "127.0.0.1" if self.engine.path else "", "HostPort": str(self.port)}]},
                "Binds": ["%s:%s" % (self.folder, self.folder)] if self.engine.path else []}})["Id"]
        self.engine.ask("POST", "/containers/%s/start" % self.id)

    def is_running(self):
        return bool(self.id) and self.engine.ask("GET", "/containers/%s/json" % self.id)["State"]["Running"]

    def send(self, sent):
        self.engine.ask("POST", "/containers/%s/kill?signal=%s" % (self.id, sent.name))

    def wait(self):
        wait_until(lambda: not self.is_running(), "the container ends")

    def remove(self):
        if self.id:
            with contextlib.suppress(EngineError):
                self.engine.ask("DELETE", "/containers/%s?force=true" % self.id)
        self.id = None

    def log(self):
        return self.engine.ask("GET", "/containers/%s/logs?stdout=true&stderr=true" % self.id) if self.id else b""


class RedisServer:
    """start(), then cli(), info(), kill(), restart(), freeze(), thaw(); stop() ends it for good. An actor of stage.Stage. certificate:
    its port speaks only TLS."""
    alive = set()

    def __init__(self, *arguments, certificate=None):
        engine, image = Choice.get()
        self.lease, self.arguments = Port(), []
        self.port, self.folder = self.lease.number, tempfile.mkdtemp(prefix="visara-gateway-redis-")
        self.server = Contained(self.folder, self.port, engine, image) if engine else Installed(self.folder, self.port)
        self.host, self.is_contained = self.server.host, engine is not None
        self.certificate = certificate.copied_to(self.folder) if certificate else None
        self.tls = self.certificate.context() if certificate else None
        self.is_frozen, self.link, self.login = False, None, (None, None)
        self.url = "redis://%s:%d" % (self.host, self.port)
        RedisServer.alive.add(self)
        try:
            self.start(arguments)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, extra_args=(), ready=True):
        """extra_args: as on redis-server's command line; restart() keeps them. ready: wait until it answers."""
        self.arguments = [str(argument) for argument in extra_args]
        secure = ["--port", "0", "--tls-port", str(self.server.inner_port), "--tls-cert-file", self.certificate.path, "--tls-key-file", self.certificate.key,
                  "--tls-ca-cert-file", self.certificate.path, "--tls-auth-clients", "no"] if self.certificate else []
        self.server.start(secure + self.arguments)
        if ready:
            wait_until(self.answers, "Redis answers on port %d: %s" % (self.port, self.arguments))

    def answers(self):
        if not self.server.is_running():
            raise AssertionError("Redis ended at once: %s" % self.server.log()[-2000:].decode(errors="replace"))
        try:
            with Resp(self.port, self.host, seconds=5, tls=self.tls) as probe:
                probe.send("PING")
                reply = probe.read()
        except OSError:
            return False
        return reply == "PONG" or isinstance(reply, RedisError) and reply.code in ("NOAUTH", "NOPERM", "MASTERDOWN")

    def connect(self, **more):
        return Resp(self.port, self.host, tls=self.tls, **more)

    def cli(self, *words):
        """One command over the test's own connection, which is made again when it was lost; errors are raised. Not for threads: each of
        them must connect()."""
        if self.link is None:
            self.link = self.connect(user=self.login[0], password=self.login[1])
        try:
            return self.link.command(*words)
        except (OSError, ConnectionError):
            self.drop_link()
            raise

    def log_in(self, user, password):
        """For later calls of cli()."""
        self.drop_link()
        self.login = (user, password)

    def drop_link(self):
        if self.link is not None:
            self.link.close()
        self.link = None

    def info(self, section="default"):
        lines = self.cli("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def calls(self, command):
        """How often a command ran since the start (or CONFIG RESETSTAT), also within scripts: "evalsha", "config|get"."""
        stats = self.info("commandstats").get("cmdstat_" + command.lower(), "calls=0")
        return int(stats.split(",")[0].partition("=")[2])

    @property
    def version(self):
        return tuple(int(part) for part in self.info("server")["redis_version"].split("."))

    def kill(self):
        """As by a crash: its data is gone."""
        self.drop_link()
        self.server.send(signal.SIGKILL)
        self.server.wait()
        self.is_frozen = False

    def restart(self, extra_args=None, ready=True):
        """On the same port, empty."""
        self.drop_link()
        if self.server.is_running():
            self.kill()
        self.start(self.arguments if extra_args is None else extra_args, ready)

    def freeze(self):
        """It accepts connections (its kernel does) and sends nothing."""
        self.server.send(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self):
        self.server.send(signal.SIGCONT)
        self.is_frozen = False

    def stop(self):
        """For good; may be called again."""
        if self not in RedisServer.alive:
            return
        RedisServer.alive.discard(self)
        self.drop_link()
        try:
            self.server.remove()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.lease.release()

    @classmethod
    def stop_all(cls):
        for server in list(cls.alive):
            with contextlib.suppress(Exception):
                server.stop()


def end_by_signal(sent, _):
    sys.exit(128 + sent)


atexit.register(RedisServer.stop_all)
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    signal.signal(signal.SIGTERM, end_by_signal)  # so that a test that gets SIGTERM removes its server, too
