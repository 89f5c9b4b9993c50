"""LIMITS' promises, measured: several gateways, one Redis, and everything that can go wrong with it. `make prove`; QUICK=1 for the short
form, ONLY=frozen for some scenarios.

Each scenario floods three or more gateways for a while and counts what they admit. Over any stretch of time W the sum may be at most

    Redis up                        r·W + b
    one whole outage within W       r·(W + s) + 3b + N·c
    any partition or flapping       2·r·W + 2b + N·c
    M > N instances in an outage    the local share grows by M / N
    a lost key                      one more b each

with rate r, burst b, cost c, N instances. s: how long some instances decided by Redis while others decided by themselves, since they
notice an outage and its end one by one. s depends on the machine, so it is measured here, by the gateways' own counters. The bound is
checked over every window between two admissions, not only over the whole run. No answer may be a 5xx (the backend makes none). No
answer may take longer than redis.timeout plus its normal time and the allowance of a noisy machine.

The gateways' wall clocks are skewed against each other (faketime, if it is installed): a limit must not depend on them."""
import asyncio
import collections
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("GATEWAY_BINARY") or os.path.join(ROOT, "visara-gateway")
QUICK = bool(os.environ.get("QUICK"))
ONLY = os.environ.get("ONLY", "")  # scenarios with this in their names
RATE, BURST, COST = 50, 25, 1
RUN_S = 4.0 if QUICK else 10.0
SKEWS = ["+0", "-3d", "+7d", "-20s", "+90s", "+1h"]
# faketime is preloaded, and sanitizers cannot work with that
FAKETIME = None if os.environ.get("GATEWAY_SANITIZE") else shutil.which("faketime")


def free_port():
    """Below the ephemeral range: gateways go on asking at a port whose Redis is gone, and no other process may get that port meanwhile."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", random.SystemRandom().randrange(10000, 30000)))
            return probe.getsockname()[1]


class Redis:
    def __init__(self, folder, port=None):
        self.port = port or free_port()
        self.folder = tempfile.mkdtemp(dir=folder)
        self.start()

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                                         "--dir", self.folder, "--repl-diskless-sync-delay", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    break
            except OSError:
                time.sleep(0.02)
        self.cli("PING")

    def cli(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.strip()

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


class Switch:
    """One address in front of the current primary: a failover as a client sees it."""

    def __init__(self, target):
        self.target, self.port, self.writers = target, free_port(), set()

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        self.writers |= {writer, far_writer}
        await asyncio.gather(self.copy(reader, far_writer), self.copy(far_reader, writer))
        self.writers -= {writer, far_writer}

    @staticmethod
    async def copy(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def cut(self):
        for writer in list(self.writers):
            writer.transport.abort()

    async def close(self):
        self.server.close()
        self.cut()


class Origin:
    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: no-store\r\n\r\nok")
        except (asyncio.IncompleteReadError, OSError, asyncio.LimitOverrunError, asyncio.CancelledError):
            writer.close()


class Gateway:
    def __init__(self, folder, number, origin_port, redis_port, expected):
        self.port = free_port()
        self.log = open(os.path.join(folder, "gateway%d.log" % number), "w+")
        environment = dict(os.environ, GATEWAY_PORT=str(self.port), GATEWAY_WORKERS="1", BACKEND_URL="http://127.0.0.1:%d" % origin_port,
                           REDIS_URL="redis://127.0.0.1:%d" % redis_port, RATE_LIMIT_RATE="%d/s" % RATE, RATE_LIMIT_BURST=str(BURST),
                           GATEWAY_LOG_ACCESS="off", GATEWAY_REDIS_EXPECTED_INSTANCES=str(expected), GATEWAY_SERVER_DRAIN_TIMEOUT="1s",
                           FAKETIME_DONT_FAKE_MONOTONIC="1")
        environment = {name: value for name, value in environment.items() if name not in ("GATEWAY_BINARY", "GATEWAY_SANITIZE")}
        command = [BINARY]
        if FAKETIME:
            command = [FAKETIME, "-f", SKEWS[number % len(SKEWS)], BINARY]
        # faketime is a parent that passes no signal on: both form one group
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log, start_new_session=True)

    def signal(self, number):
        """False: no process is left."""
        self.process.poll()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
            return True
        return False

    async def ready(self, redis_up=True):
        for _ in range(500):
            try:
                text = await fetch(self.port, "/gateway/health")
                if not redis_up or b'"redis":"up"' in text[1]:
                    return
            except (OSError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(0.02)
        self.log.seek(0)
        raise SystemExit("a gateway did not become ready:\n" + self.log.read()[-3000:])

    def stop(self):
        self.signal(signal.SIGTERM)

    def kill(self):
        self.signal(signal.SIGKILL)

    def end(self):
        ends = time.monotonic() + 10
        while self.signal(0):
            if time.monotonic() > ends:
                self.kill()
            time.sleep(0.02)
        self.process.wait()


async def read_response(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return int(head[9:12]), await reader.readexactly(length)


async def fetch(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode())
    try:
        return await read_response(reader)
    finally:
        writer.close()


class Watch:
    """How each gateway decides, by its own counters, sampled again and again."""
    LINE = re.compile(rb'^(?:gateway_redis_calls_total\{kind="limit",result="(ok)"\}|gateway_limiter_(local)_decisions_total) (\d+)$', re.MULTILINE)

    def __init__(self):
        self.spans, self.tasks = [], []

    def on(self, gateway):
        self.tasks.append(asyncio.ensure_future(self.look(gateway)))

    async def look(self, gateway):
        """Spans of time that surely hold all decisions of a kind: by Redis, by the gateway itself, by both or neither."""
        last_at, last = None, None
        while gateway.process.poll() is None:
            began = time.monotonic()
            try:
                _, page = await fetch(gateway.port, "/gateway/metrics")
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)
                continue
            counted = {ok or local: int(number) for ok, local, number in self.LINE.findall(page)}
            if last:
                self.spans.append((last_at, time.monotonic(), counted[b"ok"] > last[b"ok"], counted[b"local"] > last[b"local"]))
            last_at, last = began, counted
            await asyncio.sleep(0.03)

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def apart(self):
        """Seconds in which some gateways decided by themselves while others, or the same ones, decided by Redis."""
        edges, total = sorted({edge for span in self.spans for edge in span[:2]}), 0.0
        for began, ended in zip(edges, edges[1:]):
            here = [span for span in self.spans if span[0] < ended and span[1] > began]
            if any(span[2] for span in here) and any(span[3] for span in here):
                total += ended - began
        return total


class Flood:
    """Clients that ask again as soon as they have an answer, with a short pause, so that each gateway sees some hundreds a second."""

    def __init__(self):
        self.admitted, self.statuses, self.slowest, self.running = [], collections.Counter(), 0.0, True
        self.tasks = []

    def on(self, gateway, clients=4):
        for _ in range(clients):
            self.tasks.append(asyncio.ensure_future(self.client(gateway)))

    async def client(self, gateway):
        while self.running and gateway.process.poll() is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                while self.running:
                    began = time.monotonic()
                    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    status, _ = await read_response(reader)
                    ended = time.monotonic()
                    self.statuses[status] += 1
                    self.slowest = max(self.slowest, ended - began)
                    if status == 200:
                        # the admission lies between the two; the exact time is not known: windows are measured from the latest begin to the
                        # earliest end
                        self.admitted.append((began, ended))
                    await asyncio.sleep(0.01)
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)

    async def stop(self):
        self.running = False
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def worst_excess(self, rate):
        """The most, over all windows, that was admitted beyond rate · W. A window holds the admissions that surely fall into it, and its
        length is the greatest that it can have had: the gateways are not blamed for what the measurement may have caused."""
        spans = sorted(self.admitted)
        worst = 0.0
        # i … j: these j - i + 1 all lie within [began_i, the latest end among them]
        lowest, latest = float("inf"), 0.0
        for index, (began, ended) in enumerate(spans):
            lowest, latest = min(lowest, index - rate * began), max(latest, ended)
            worst = max(worst, index + 1 - rate * latest - lowest)
        return worst


def one_outage(count):
    return 3 * BURST + count * COST


async def scenario(name, bound, act, instances=3, rate_factor=1, wants_switch=False, is_of_partitions=False):
    if ONLY not in name:
        return True
    folder = tempfile.mkdtemp(prefix="visara-prove-")
    origin = Origin()
    await origin.open()
    redis = Redis(folder)
    stage = {"redis": [redis], "folder": folder, "origin": origin, "gateways": [], "port": redis.port, "instances": instances}
    if wants_switch:
        stage["switch"] = Switch(redis.port)
        await stage["switch"].open()
        stage["port"] = stage["switch"].port
    flood, watch = Flood(), Watch()
    stage["flood"], stage["watch"] = flood, watch
    try:
        for number in range(instances):
            stage["gateways"].append(Gateway(folder, number, origin.port, stage["port"], instances))
        for gateway in stage["gateways"]:
            await gateway.ready()
        await asyncio.sleep(1.2)  # two heartbeats: every instance has seen the others
        for gateway in stage["gateways"]:
            flood.on(gateway)
            watch.on(gateway)
        began = time.monotonic()
        await act(stage)
        await flood.stop()
        elapsed = time.monotonic() - began
        await watch.stop()
        excess = flood.worst_excess(RATE * rate_factor)
        apart, allowed = watch.apart(), bound(len(stage["gateways"]))
        if apart and not is_of_partitions:
            # Also if Redis was up: on such a slow machine an answer later than redis.timeout means, for the instance that asked, that Redis
            # is away.
            allowed = max(allowed, one_outage(len(stage["gateways"]))) + RATE * rate_factor * apart
        errors = {status: n for status, n in flood.statuses.items() if status >= 500}
        good = excess <= allowed and not errors and flood.statuses[200] >= RATE * elapsed * 0.2
        admitted = flood.statuses[200]
        formula = RATE * rate_factor * elapsed + allowed
        print("| %s | %d | %.1f | %.2f | %d | %.0f | %.0f | %d | %.0f | %s |" % (name, len(stage["gateways"]), elapsed, apart, admitted, formula, excess, allowed,
                                                                    flood.slowest * 1000, "holds" if good else "BROKEN %s" % errors), flush=True)
        return good
    finally:
        flood.running = False
        for gateway in stage["gateways"]:
            gateway.stop()
        for gateway in stage["gateways"]:
            gateway.end()
        if "switch" in stage:
            await stage["switch"].close()
        for node in stage["redis"]:
            node.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def steady(stage):
    await asyncio.sleep(RUN_S)


async def script_flush(stage):
    for _ in range(int(RUN_S / 0.5)):
        await asyncio.sleep(0.5)
        stage["redis"][0].cli("SCRIPT", "FLUSH")


async def flushall(stage):
    await asyncio.sleep(RUN_S / 2)
    stage["redis"][0].cli("FLUSHALL")
    await asyncio.sleep(RUN_S / 2)


async def restart(stage):
    await asyncio.sleep(RUN_S / 3)
    stage["redis"][0].kill()
    await asyncio.sleep(RUN_S / 3)
    stage["redis"][0].start()
    await asyncio.sleep(RUN_S / 3 + 2)


async def frozen(stage):
    await asyncio.sleep(RUN_S / 3)
    stage["redis"][0].freeze()
    await asyncio.sleep(RUN_S / 3)
    stage["redis"][0].thaw()
    await asyncio.sleep(RUN_S / 3 + 2)


async def flapping(stage):
    for _ in range(int(RUN_S / 1.2)):
        stage["redis"][0].freeze()
        await asyncio.sleep(0.5)
        stage["redis"][0].thaw()
        await asyncio.sleep(0.7)


async def failover(stage):
    """A replica is promoted, the old primary answers READONLY behind the same address."""
    first = stage["redis"][0]
    second = Redis(stage["folder"])
    stage["redis"].append(second)
    second.cli("REPLICAOF", "127.0.0.1", str(first.port))
    await asyncio.sleep(RUN_S / 2)
    second.cli("REPLICAOF", "NO", "ONE")
    first.cli("REPLICAOF", "127.0.0.1", str(second.port))
    stage["switch"].target = second.port
    # open connections lead to the old primary, which says READONLY; new ones lead to the new primary
    await asyncio.sleep(RUN_S / 2 + 2)


async def killed_instance(stage):
    await asyncio.sleep(RUN_S / 2)
    stage["gateways"][0].kill()
    await asyncio.sleep(RUN_S / 2)


async def added_in_outage(stage):
    """Two more instances start while Redis is away: the share of each was computed for fewer."""
    await asyncio.sleep(RUN_S / 3)
    stage["redis"][0].kill()
    await asyncio.sleep(0.5)
    for number in (3, 4):
        gateway = Gateway(stage["folder"], number, stage["origin"].port, stage["port"], stage["instances"])
        stage["gateways"].append(gateway)
        await gateway.ready(redis_up=False)
        stage["flood"].on(gateway)
        stage["watch"].on(gateway)
    await asyncio.sleep(RUN_S / 3)
    stage["redis"][0].start()
    await asyncio.sleep(RUN_S / 3 + 2)


async def main():
    # connections that a scenario left are cut with the loop: no report is needed
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    n = 3
    plain = lambda _: BURST
    flaps = lambda count: 2 * BURST + count * COST
    lost_key = lambda _: 2 * BURST
    print("rate %d/s, burst %d, cost %d; clocks skewed by %s; %s form" % (RATE, BURST, COST, ", ".join(SKEWS[:n]) if FAKETIME else "nothing (no faketime)",
                                                                  "quick" if QUICK else "long"))
    print("\n| scenario | instances | seconds | s | admitted | promised at most | worst window beyond r·W | promised | slowest ms | |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    results = [
        await scenario("Redis up", plain, steady),
        await scenario("SCRIPT FLUSH twice a second", plain, script_flush),
        await scenario("FLUSHALL once", lost_key, flushall),
        await scenario("Redis killed, away, started empty", lambda c: one_outage(c) + BURST, restart),
        await scenario("Redis frozen, thawed", one_outage, frozen),
        await scenario("Redis flapping", flaps, flapping, rate_factor=2, is_of_partitions=True),
        await scenario("failed over behind one address", lambda c: one_outage(c) + BURST, failover, wants_switch=True),
        await scenario("an instance killed", plain, killed_instance),
        await scenario("two instances added in an outage", lambda c: one_outage(c) + BURST, added_in_outage, rate_factor=5 / 3),
    ]
    print()
    if not all(results):
        print("%d of %d scenarios broke their promise" % (results.count(False), len(results)))
        return 1
    print("all %d scenarios hold" % len(results))
    return 0


sys.exit(asyncio.run(main()))
