"""What is measured of a contender: CPU of its processes and of its Redis, what Redis was asked, what wrk saw."""
import http.client
import os
import re
import socket
import subprocess
import sys
import urllib.parse

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


def stat_of(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def family(root):
    """A process and its descendants."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(name)] = int(stat_of(int(name))[1])
        except OSError:
            pass
    found, more = {root}, {root}
    while more:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
    return found


def cpu_us(pids):
    total = 0
    for pid in pids:
        try:
            fields = stat_of(pid)
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total * TICK_US


def machine_us():
    with open("/proc/stat", encoding="ascii") as file:
        values = [int(value) for value in file.readline().split()[1:]]
    return (sum(values[:8]) - values[3] - values[4]) * TICK_US


def milliseconds(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)$", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


class Redis:
    """A server's process, and one connection that asks it about itself."""

    def __init__(self, pid, port):
        self.pid = pid
        self.reader = socket.create_connection(("127.0.0.1", port), 10).makefile("rwb")

    def command(self, *words):
        parts = [word.encode() for word in words]
        self.reader.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        self.reader.flush()
        head = self.reader.readline()
        if not head.startswith(b"$"):
            sys.exit("bench: Redis says %r" % head)
        return self.reader.read(int(head[1:]) + 2).decode()

    def counts(self):
        """Calls by command, those of scripts too; and how often it read from a socket, which is a round trip, or several at once."""
        text = self.command("INFO", "commandstats")
        counts = {name: int(calls) for name, calls in re.findall(r"cmdstat_([^:]+):calls=(\d+)", text) if name != "info"}
        reads = re.search(r"total_reads_processed:(\d+)", self.command("INFO", "stats"))
        return dict(counts, reads=int(reads[1]) if reads else 0)


class Contender:
    """`asks`: the command that each request must cost its Redis, so that no contender is measured that gave Redis up; None: no such one."""

    def __init__(self, name, row, url, expected, root, redis=None, asks=None):
        self.name, self.row, self.url, self.expected, self.root = name, row, url, expected, root
        self.redis, self.asks, self.pids = redis, asks, set()

    def complain(self, what):
        return "bench: %s, %s: %s" % (self.name, self.row, what)

    def probe(self):
        """Asks four times on one connection: warms the cache, and shows that it does what is measured."""
        place = urllib.parse.urlparse(self.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
        for _ in range(4):
            connection.request("GET", place.path)
            response = connection.getresponse()
            body = response.read()
        connection.close()
        self.pids = family(self.root)
        if response.status != self.expected or (self.expected == 200 and len(body) not in (1024, 65536)):
            sys.exit(self.complain("answers %d with %d bytes" % (response.status, len(body))))
        if "hit" in self.row and response.getheader("X-Cache") != "HIT":
            sys.exit(self.complain("does not hit: X-Cache is %s" % response.getheader("X-Cache")))

    def load(self, pin, connections, seconds):
        return subprocess.run(pin + ["wrk", "-t1", "-c" + connections, "-d%ds" % seconds, "--latency", self.url], capture_output=True, text=True, check=True).stdout

    def gauges(self, origin):
        times = os.times()
        return {
            "own": cpu_us(self.pids),
            "redis": cpu_us({self.redis.pid}) if self.redis else 0,
            "origin": cpu_us(family(origin)),
            "load": (times.children_user + times.children_system) * 1e6,
            "machine": machine_us(),
        }

    def measure(self, origin, pin, connections, seconds):
        counts = self.redis.counts() if self.redis else {}
        before = self.gauges(origin)
        said = self.load(pin, connections, seconds)
        used = {name: value - before[name] for name, value in self.gauges(origin).items()}
        asked = {name: calls - counts.get(name, 0) for name, calls in self.redis.counts().items()} if self.redis else {}
        requests, span = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()
        requests, span = int(requests), float(span)
        if not requests or not os.path.exists("/proc/%d/exe" % self.root):
            sys.exit(self.complain("does not serve any more\n%s" % said))
        self.check(said, requests, asked)
        return {
            "cpu_us": used["own"] / requests,
            "redis_us": used["redis"] / requests,
            "together_us": (used["own"] + used["redis"]) / requests,
            "reads": asked.pop("reads", 0) / requests,
            "commands": {name: calls / requests for name, calls in asked.items()},
            "requests_per_s": requests / span,
            "p50_ms": milliseconds(re.search(r"^ +50% +(\S+)", said, re.M)[1]),
            "p99_ms": milliseconds(re.search(r"^ +99% +(\S+)", said, re.M)[1]),
            "busy": used["own"] / 1e6 / span,
            "foreign": max(0.0, used["machine"] - sum(used[name] for name in ("own", "redis", "origin", "load"))) / 1e6 / span,
        }

    def check(self, said, requests, asked):
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        share = (int(refused[1]) if refused else 0) / requests
        if "Socket errors" in said or not (share > 0.99 if self.expected >= 400 else share == 0):
            print(self.complain("not all answers were %d\n%s" % (self.expected, said)), file=sys.stderr)
        if self.asks and asked.get(self.asks, 0) < 0.99 * requests:
            print(self.complain("%d requests, but %d × %s" % (requests, asked.get(self.asks, 0), self.asks)), file=sys.stderr)
