"""The gateway beside nginx, in the same interleaved run: CPU per request, requests a second, p50 and p99.

    make bench                          ROUNDS=5 SECONDS=3 CONNECTIONS=64 by default
    make bench ROUNDS=9 ROWS=pass,hit   rows whose name holds one of these words
    OUT=file.jsonl make bench           every single run as a line of JSON

The figure to trust is CPU time of the contender alone, user and system, of its own processes from /proc, divided by the requests that
were answered: it does not depend on how fast the load comes. Contenders run one worker each on CPU 1; load and origin on CPU 0, so that
they take nothing from the contender. Where there is one core only, nothing is pinned and the figures say less.

Ratios are taken within a round, where both ran under the same conditions; printed is their median, and the least and the greatest. 'foreign'
is the part of a core that belonged to none of those measured: a disturbed run tells itself."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("GATEWAY_BINARY") or os.path.join(ROOT, "visara-gateway")
ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = int(os.environ.get("BENCH_SECONDS") or 3)
CONNECTIONS = os.environ.get("CONNECTIONS") or "64"
ROWS = [word for word in (os.environ.get("ROWS") or "").split(",") if word]
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
PINNED = len(os.sched_getaffinity(0)) >= 2 and {0, 1} <= os.sched_getaffinity(0)
ON_LOAD = ["taskset", "-c", "0"] if PINNED else []
ON_CONTENDER = ["taskset", "-c", "1"] if PINNED else []

ORIGIN = """
worker_processes 1; daemon off; pid {folder}/origin.pid; error_log {folder}/origin.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 2000000000; keepalive_timeout 7200s; default_type text/plain; open_file_cache max=16; sendfile on; tcp_nopush on;
  {temporary}
  server {{
    listen 127.0.0.1:{origin} backlog=4096;
    location = /1k {{ add_header Cache-Control "public, max-age=3600"; add_header ETag '"v1"'; return 200 "{body}"; }}
    location / {{ root {folder}/www; add_header Cache-Control "public, max-age=3600"; }}
  }}
}}
"""
# As a careful user would set it up: kept connections to the origin, no access log, buffers that hold what is proxied.
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 2000000000; keepalive_timeout 7200s; sendfile on;
  {temporary}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Request-Id $request_id;
  proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 96k;
  proxy_cache_path {folder}/cache keys_zone=c:16m max_size=256m inactive=1h use_temp_path=off;
  limit_req_zone $binary_remote_addr zone=r:16m rate=1r/m;
  limit_req_zone $binary_remote_addr zone=l:16m rate=1000000r/s;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 256; keepalive_requests 2000000000; keepalive_timeout 7200s; }}
  server {{ listen 127.0.0.1:{nginx_pass} backlog=4096; location / {{ proxy_pass http://origin; }} }}
  server {{ listen 127.0.0.1:{nginx_hit} backlog=4096; open_file_cache max=1000;
    location / {{ proxy_pass http://origin; proxy_cache c; proxy_cache_valid 200 3600s; add_header X-Cache $upstream_cache_status; }} }}
  server {{ listen 127.0.0.1:{nginx_whole} backlog=4096; open_file_cache max=1000; limit_req zone=l burst=100000 nodelay;
    location / {{ proxy_pass http://origin; proxy_cache c; proxy_cache_valid 200 3600s; add_header X-Cache $upstream_cache_status; }} }}
  server {{ listen 127.0.0.1:{nginx_refuse} backlog=4096;
    location / {{ limit_req zone=r nodelay; limit_req_status 429; limit_req_log_level info; proxy_pass http://origin; }} }}
}}
"""
GATEWAYS = {
    "pass": {"cache": {"enabled": False}, "limits": {"enabled": False}},
    "hit": {"cache": {"enabled": True}, "limits": {"enabled": False}},
    "refuse": {"cache": {"enabled": False}, "limits": {"enabled": True, "rate": "1/min", "burst": 1}},
    "whole": {"cache": {"enabled": True}, "limits": {"enabled": True, "rate": "1000000/s", "burst": 1000000}},
}
# name, path, the gateway's configuration, the peer's server, the status that is right
TABLE = [
    ("pass-through 1 KiB", "/1k", "pass", "nginx_pass", 200),
    ("pass-through 64 KiB", "/64k", "pass", "nginx_pass", 200),
    ("memory hit 1 KiB", "/1k", "hit", "nginx_hit", 200),
    ("memory hit 64 KiB", "/64k", "hit", "nginx_hit", 200),
    ("refusal", "/1k", "refuse", "nginx_refuse", 429),
    ("limit and memory hit 1 KiB", "/1k", "whole", "nginx_whole", 200),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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


class Contender:
    def __init__(self, name, url, expected, root):
        self.name, self.url, self.expected, self.root, self.pids = name, url, expected, root, set()

    def probe(self):
        """Asks thrice on one connection: warms the cache, and shows that it does what is measured."""
        place = urllib.parse.urlparse(self.url)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
        for _ in range(3):
            connection.request("GET", place.path)
            response = connection.getresponse()
            body = response.read()
        connection.close()
        self.pids = family(self.root)
        if response.status != self.expected or (self.expected == 200 and len(body) not in (1024, 65536)):
            sys.exit("bench: %s answers %d with %d bytes" % (self.name, response.status, len(body)))
        if "hit" in self.name and response.getheader("X-Cache") != "HIT":
            sys.exit("bench: %s does not hit: X-Cache is %s" % (self.name, response.getheader("X-Cache")))

    def load(self, seconds):
        return subprocess.run(ON_LOAD + ["wrk", "-t1", "-c" + CONNECTIONS, "-d%ds" % seconds, "--latency", self.url], capture_output=True, text=True, check=True).stdout

    def measure(self, origin, seconds):
        others = family(origin)
        before, before_others, before_machine, before_times = cpu_us(self.pids), cpu_us(others), machine_us(), os.times()
        said = self.load(seconds)
        used, used_others, used_machine, times = cpu_us(self.pids) - before, cpu_us(others) - before_others, machine_us() - before_machine, os.times()
        load = (times.children_user + times.children_system - before_times.children_user - before_times.children_system) * 1e6
        requests, span = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        share = (int(refused[1]) if refused else 0) / int(requests)
        if "Socket errors" in said or not (share > 0.99 if self.expected >= 400 else share == 0):
            print("bench: %s: not all answers were %d\n%s" % (self.name, self.expected, said), file=sys.stderr)
        return {
            "cpu_us": used / int(requests),
            "requests_per_s": int(requests) / float(span),
            "p50_ms": milliseconds(re.search(r"^ +50% +(\S+)", said, re.M)[1]),
            "p99_ms": milliseconds(re.search(r"^ +99% +(\S+)", said, re.M)[1]),
            "busy": used / 1e6 / float(span),
            "foreign": max(0.0, used_machine - used - used_others - load) / 1e6 / float(span),
        }


class Bench:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="visara-gateway-bench-")
        os.chmod(self.folder, 0o755)
        os.makedirs(self.folder + "/www")
        os.makedirs(self.folder + "/cache")
        os.chmod(self.folder + "/cache", 0o777)
        with open(self.folder + "/www/64k", "wb") as file:
            file.write(b"x" * 65536)
        self.ports = {name: free_port() for name in ["origin", "nginx_pass", "nginx_hit", "nginx_refuse", "nginx_whole"] + list(GATEWAYS)}
        self.processes = []

    def start(self, command, port):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "BACKEND_", "RATE_", "CACHE_"))}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, env=environment)
        self.processes.append(process)
        ends = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return process.pid
            except OSError:
                if process.poll() is not None or time.monotonic() > ends:
                    sys.exit("bench: %s did not start" % " ".join(command))
                time.sleep(0.05)

    def start_nginx(self, name, template, port, pin):
        path = "%s/%s.conf" % (self.folder, name)
        temporary = " ".join("%s_temp_path %s/%s-%s;" % (kind, self.folder, name, kind) for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(path, "w", encoding="ascii") as file:
            file.write(template.format(folder=self.folder, body="x" * 1024, temporary=temporary, **self.ports))
        return self.start(pin + ["nginx", "-c", path], port)

    def start_gateway(self, name):
        path = "%s/%s.json" % (self.folder, name)
        ours = {"server": {"port": self.ports[name], "host": "127.0.0.1", "workers": 1}, "backend": {"url": "http://127.0.0.1:%d" % self.ports["origin"]},
                "log": {"access": "off"}, "cors": {"enabled": False}}
        with open(path, "w", encoding="ascii") as file:
            json.dump(dict(ours, **GATEWAYS[name]), file)
        return self.start(ON_CONTENDER + [BINARY, "--config", path], self.ports[name])

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def rows(self):
        """(row, [nginx, gateway]) for each of the table that is wanted."""
        wanted = [row for row in TABLE if not ROWS or any(word in row[0] for word in ROWS)]
        self.origin = self.start_nginx("origin", ORIGIN, self.ports["origin"], ON_LOAD)
        nginx = self.start_nginx("nginx", NGINX, self.ports["nginx_pass"], ON_CONTENDER)
        gateways = {name: self.start_gateway(name) for name in {row[2] for row in wanted}}
        for name, path, ours, theirs, expected in wanted:
            at = lambda port: "http://127.0.0.1:%d%s" % (self.ports[port], path)
            yield name, [Contender("nginx, %s" % name, at(theirs), expected, nginx), Contender("visara-gateway, %s" % name, at(ours), expected, gateways[ours])]

    def run(self):
        results = {}
        rows = list(self.rows())
        for _, contenders in rows:
            for contender in contenders:
                contender.probe()
                contender.load(1)
        for number in range(ROUNDS):
            for name, contenders in rows:
                # who is first changes, so that neither always runs on a machine that the other has warmed
                for contender in contenders if number % 2 == 0 else contenders[::-1]:
                    result = contender.measure(self.origin, SECONDS)
                    results.setdefault((name, contender.name.partition(",")[0]), []).append(result)
                    if os.environ.get("OUT"):
                        with open(os.environ["OUT"], "a", encoding="ascii") as file:
                            file.write(json.dumps(dict(result, row=name, contender=contender.name, round=number)) + "\n")
            print("round %d of %d" % (number + 1, ROUNDS), file=sys.stderr, flush=True)
        return results


def report(results):
    print("\n%d rounds of %d s, %s connections, one worker each, %s; medians\n" % (
        ROUNDS, SECONDS, CONNECTIONS, "contender on CPU 1, load and origin on CPU 0" if PINNED else "not pinned: one core only"))
    print("| | | CPU µs/request | × nginx (min–max) | requests/s | × nginx | p50 ms | p99 ms | busy | foreign |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for (name, who), runs in results.items():
        base = results[name, "nginx"]
        median = lambda key: statistics.median(run[key] for run in runs)
        cpu = [run["cpu_us"] / other["cpu_us"] for run, other in zip(runs, base)]
        rate = [run["requests_per_s"] / other["requests_per_s"] for run, other in zip(runs, base)]
        print("| %s | %s | %.1f | %.2f (%.2f–%.2f) | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f |" % (
            name, who, median("cpu_us"), statistics.median(cpu), min(cpu), max(cpu), median("requests_per_s"), statistics.median(rate),
            median("p50_ms"), median("p99_ms"), median("busy"), median("foreign")))


def main():
    bench = Bench()
    try:
        results = bench.run()
    finally:
        bench.stop()
    report(results)


if __name__ == "__main__":
    main()
