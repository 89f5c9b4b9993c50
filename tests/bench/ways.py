"""What a request passes on its way: functions and files of gateway/, commands and round trips to Redis.

    make ways                   the table of docs/architecture.md, as Markdown
    make ways WAYS=miss         only the ways whose name holds this word, and their functions, file by file

The gateway is built with -finstrument-functions (the preset `ways`), without optimisation and without checks, and ways.c, preloaded into it,
writes down each function that is entered. One request counts with all that the worker's thread runs for it, from its first byte until what it
stored and logged is done. A turn of the loop that runs when nobody asks, too (timers), does not count. Each way is traced five times, after
requests of the same kind, and the least counts.

A tap before Redis notes the commands (tests/support/redis_tap.py). One round trip is one write of commands and their answers. The gateway has
one worker, limits, cache and Redis, as by default; the limit is wide, except for the refusal."""
import collections
import hashlib
import mmap
import os
import re
import struct
import subprocess
import tempfile
import time

import redis_stage
import stage
from redis_tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER, RECORD = struct.Struct("=II"), struct.Struct("=QII")  # of ways.c
IDLE_S, SETTLED_S, ROUNDS = 2, 0.3, 5  # s of quiet: to ask the gateway whether it is done would be traced, too

# name, gateway, target ({}: the round), X-Cache, how often the same is asked before, of which gateway, and how long before (s)
WAYS = [
    ("memory hit", "wide", "/fresh/0", "HIT", 4, "wide", SETTLED_S),
    ("Redis hit (another instance stored it)", "wide", "/fresh/2{}", "HIT", 1, "other", SETTLED_S),
    ("validated (304)", "wide", "/check/{}", "REVALIDATED", 1, "wide", 1.2),
    ("cold miss", "wide", "/fresh/1{}", "MISS", 0, None, SETTLED_S),
    ("pass-through", "wide", "/pass", "BYPASS", 3, "wide", SETTLED_S),
    ("refusal (429)", "narrow", "/pass", None, 3, "narrow", SETTLED_S),
]

SCRIPTS = {}  # names by digest
for name in os.listdir(os.path.join(stage.ROOT, "redis")):
    with open(os.path.join(stage.ROOT, "redis", name), "rb") as file:
        SCRIPTS[hashlib.sha1(file.read()).hexdigest().encode()] = name


class Tracer:
    """The functions that a gateway enters."""

    def __init__(self, library):
        file = tempfile.NamedTemporaryFile()  # pylint: disable=consider-using-with
        self.file, self.names, self.idle = file, {}, set()
        self.environment = {"LD_PRELOAD": library, "WAYS_TRACE": file.name}

    def start(self):
        self.memory = mmap.mmap(self.file.fileno(), 0)
        self.memory[0:8] = HEADER.pack(1, 0)

    def stop(self):
        """By thread, the turns of its loop: each the set of (file, function) that one callback entered."""
        self.memory[0:4] = b"\0\0\0\0"
        records = list(RECORD.iter_unpack(self.memory[8:8 + HEADER.unpack(self.memory[0:8])[1] * RECORD.size]))
        self.resolve({function for function, _, _ in records})
        lowest, turns = {}, collections.defaultdict(list)
        for _, thread, depth in records:
            lowest[thread] = min(depth, lowest.get(thread, depth))
        for function, thread, depth in records:
            if depth == lowest[thread]:
                turns[thread].append(set())
            if turns[thread]:  # else its turn began before
                turns[thread][-1].add(self.names[function])
        return {thread: set(map(frozenset, sets)) for thread, sets in turns.items()}

    def resolve(self, functions):
        unknown = sorted(functions - set(self.names))
        said = subprocess.run(["addr2line", "-f", "-e", stage.BINARY], input="".join("%x\n" % function for function in unknown),
                              capture_output=True, text=True, check=True).stdout.splitlines()
        for function, name, place in zip(unknown, said[0::2], said[1::2]):
            self.names[function] = (re.search(r"([^/]+/)?[^/:]+(?=:)", place)[0].replace("gateway/", ""), name)

    def watch_idle(self):
        self.start()
        time.sleep(IDLE_S)
        self.idle = set().union(*self.stop().values())

    def functions(self):
        """Those of the request since start()."""
        workers = [turns for turns in self.stop().values() if any(file.startswith("exchange/") for turn in turns for file, _ in turn)]
        assert len(workers) == 1, "%d threads served the request" % len(workers)
        return frozenset().union(*(workers[0] - self.idle))


def name_of(words):
    """Of a command; of a script its file."""
    script = SCRIPTS.get(words[1])
    if words[0] != b"EVALSHA" or not script:
        return words[0].decode()
    return script + (" " + words[3 + int(words[2])].decode() if script == "fetch_lock.lua" else "")


class Scene:
    def __init__(self, actors, folder):
        library = os.path.join(folder, "ways.so")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, os.path.join(HERE, "ways.c")], check=True)
        self.redis = redis_stage.RedisServer()
        self.tap = Tap(self.redis)
        actors.actors += [self.redis, self.tap]
        self.origin, self.before_backend = actors.origin(), None
        for number in list(range(ROUNDS)) + list(range(10, 10 + ROUNDS)) + list(range(20, 20 + ROUNDS)):
            self.origin.on("/fresh/%d" % number, self.answer(("Cache-Control", "max-age=600")))
            self.origin.on("/check/%d" % number, self.answer(("Cache-Control", "max-age=1"), ("ETag", '"1"')))
        self.origin.on("/pass", self.answer())
        self.tracers, self.gateways = {}, {}
        for name, rate, burst in (("other", "1000/s", 100000), ("wide", "1000/s", 100000), ("narrow", "1/h", 1)):
            self.tracers[name] = Tracer(library)
            self.gateways[name] = actors.gateway(self.origin, {
                "redis": {"url": self.tap.url, "timeout": "5s", "prefix": "narrow:" if name == "narrow" else "wide:"},
                "cache": {"enabled": True, "bypass_paths": ["/pass"]},
                "limits": {"enabled": True, "rate": rate, "burst": burst},
            }, environment=self.tracers[name].environment)

    def answer(self, *fields):
        def handler(call):
            self.before_backend = list(self.tap.seen)
            is_known = call.request.has("If-None-Match")
            call.respond(304 if is_known else 200, fields, b"" if is_known else b"x" * 1024)
        return handler

    def trace(self, gateway, target, label, times, before, pause):
        """Of one request: its functions, its commands, those before the backend was asked or None, and the bytes of their replies."""
        tracer = self.tracers[gateway]
        with self.gateways[gateway].client() as client:
            client.get("/pass")
            time.sleep(SETTLED_S)
            if not tracer.idle:
                tracer.watch_idle()
            for _ in range(times):
                self.gateways[before].fetch(target)
            time.sleep(pause)
            self.tap.clear()
            self.before_backend = None
            tracer.start()
            response = client.get(target)
            time.sleep(SETTLED_S)
            assert response.status == (200 if label else 429) and response.field("X-Cache") == label, response
            return tracer.functions(), list(self.tap.seen), self.before_backend, sum(self.tap.answered)


def counted(commands):
    return "–" if commands is None else "%d in %d" % (len(commands), len({write for _, write, _ in commands}))


def print_functions(functions):
    for file in sorted({file for file, _ in functions}):
        print("    %-28s %s" % (file, ", ".join(sorted(name for of, name in functions if of == file))))


def main():
    word = os.environ.get("WAYS", "")
    with stage.Stage() as actors:
        scene = Scene(actors, actors.folder)
        print("| way | functions | files | Redis: commands in round trips | before the backend is asked | bytes from Redis | commands |\n"
              "|---|---:|---:|---|---|---:|---|")
        for name, gateway, target, *rest in WAYS:
            if word not in name:
                continue
            traces = [scene.trace(gateway, target.format(number), *rest) for number in range(ROUNDS)]
            functions, commands, before_backend, answered = min(traces, key=lambda trace: len(trace[0]))
            print("| %s | %d | %d | %s | %s | %d | %s |" % (
                name, len(functions), len({file for file, _ in functions}), counted(commands), counted(before_backend), answered,
                ", ".join("`%s`" % name_of(words) for _, _, words in commands) or "–"), flush=True)
            if word:
                print_functions(functions)


if __name__ == "__main__":
    main()
