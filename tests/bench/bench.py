"""The gateway beside nginx, in the same interleaved run: CPU per request, requests a second, p50 and p99.

    make bench                          ROUNDS=5 SECONDS=3 CONNECTIONS=64 by default
    make bench ROUNDS=9 ROWS=pass,hit   rows whose name holds one of these words
    OUT=file.jsonl make bench           every single run as a line of JSON

The figure to trust is CPU time of the contender alone, user and system, of its own processes from /proc, divided by the requests that
were answered: it does not depend on how fast the load comes. Contenders run one worker each on CPU 1; load and origin on CPU 0, so that
they take nothing from the contender. Where there is one core only, nothing is pinned and the figures say less.

In the rows over Redis the peer is nginx with lua, which runs the same script for the limit; each side has a Redis of its own, on CPU 0.
'with Redis' is the CPU of both together. Hits over Redis are the gateway's without its memory cache, which holds nothing there.

Ratios are taken within a round, where both ran under the same conditions; printed is their median, and the least and the greatest. 'foreign'
is the part of a core that belonged to none of those measured: a disturbed run tells itself."""
import json
import os
import statistics
import sys

from contender import Contender
from servers import ON_CONTENDER, ON_LOAD, PINNED, Servers

ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS = int(os.environ.get("BENCH_SECONDS") or 3)
CONNECTIONS = os.environ.get("CONNECTIONS") or "64"
ROWS = [word for word in (os.environ.get("ROWS") or "").split(",") if word]

# name, path, the gateway's configuration, the peer's server, the status that is right
TABLE = [
    ("pass-through 1 KiB", "/1k", "pass", "nginx_pass", 200),
    ("pass-through 64 KiB", "/64k", "pass", "nginx_pass", 200),
    ("memory hit 1 KiB", "/1k", "hit", "nginx_hit", 200),
    ("memory hit 64 KiB", "/64k", "hit", "nginx_hit", 200),
    ("refusal", "/1k", "refuse", "nginx_refuse", 429),
    ("limit and memory hit 1 KiB", "/1k", "whole", "nginx_whole", 200),
]
# over Redis; and the command that every request must ask it, of the gateway and of the peer
TABLE_REDIS = [
    ("limit over Redis, pass-through 1 KiB", "/1k", "redis_pass", "lua_pass", 200, "evalsha", "evalsha"),
    ("hit from Redis 1 KiB", "/1k", "redis_hit_1k", "lua_hit", 200, "get", "get"),
    ("hit from Redis 64 KiB", "/64k", "redis_hit_64k", "lua_hit", 200, "get", "get"),
    ("limit and hit from Redis 1 KiB", "/1k", "redis_whole", "lua_whole", 200, "evalsha", "evalsha"),
    ("refusal over Redis", "/1k", "redis_refuse", "lua_refuse", 429, None, "evalsha"),
]


def wanted(table):
    return [row for row in table if not ROWS or any(word in row[0] for word in ROWS)]


class Bench:
    def __init__(self):
        self.servers = Servers()
        self.origin = None
        self.gateways = {}  # started, by the name of their configuration

    def rows(self):
        """(row, [peer, gateway]) for each that is wanted."""
        servers = self.servers
        at = lambda server, path: "http://127.0.0.1:%d%s" % (servers.ports[server], path)
        self.origin = servers.start_nginx("origin", "origin", ON_LOAD)
        plain = wanted(TABLE)
        nginx = servers.start_nginx("nginx", "nginx_pass", ON_CONTENDER) if plain else None
        for name, path, ours, theirs, status in plain:
            yield name, [Contender("nginx", name, at(theirs, path), status, nginx), self.gateway(name, at(ours, path), ours, status)]
        shared = wanted(TABLE_REDIS)
        if not shared:
            return
        if not servers.words["modules"]:
            print("bench: no rows over Redis: nginx' lua module and client for Redis are not installed", file=sys.stderr)
            return
        their_redis, our_redis = servers.start_redis("lua_redis"), servers.start_redis("gateway_redis")
        lua = servers.start_lua(their_redis)
        for name, path, ours, theirs, status, we_ask, they_ask in shared:
            yield name, [Contender("nginx + lua", name, at(theirs, path), status, lua, their_redis, they_ask),
                         self.gateway(name, at(ours, path), ours, status, our_redis, we_ask)]

    def gateway(self, name, url, ours, status, redis=None, asks=None):
        if ours not in self.gateways:
            self.gateways[ours] = self.servers.start_gateway(ours)
        return Contender("visara-gateway", name, url, status, self.gateways[ours], redis, asks)

    def run(self):
        results = {}
        rows = list(self.rows())
        for _, contenders in rows:
            for contender in contenders:
                contender.probe()
                contender.load(ON_LOAD, CONNECTIONS, 1)
        for number in range(ROUNDS):
            for name, contenders in rows:
                # each is first in turn, so that neither always runs on a machine that the other has warmed
                for contender in contenders if number % 2 == 0 else contenders[::-1]:
                    result = contender.measure(self.origin, ON_LOAD, CONNECTIONS, SECONDS)
                    results.setdefault(name, {c.name: [] for c in contenders})[contender.name].append(result)
                    if os.environ.get("OUT"):
                        with open(os.environ["OUT"], "a", encoding="ascii") as file:
                            file.write(json.dumps(dict(result, row=name, contender=contender.name, round=number)) + "\n")
            print("round %d of %d" % (number + 1, ROUNDS), file=sys.stderr, flush=True)
        return results


def ratios(runs, base, key):
    """Median, least and greatest of those within a round."""
    found = [run[key] / other[key] for run, other in zip(runs, base)]
    return statistics.median(found), min(found), max(found)


def commands_of(runs):
    """What one request made Redis do, its scripts' own commands too; without what an instance asks each second."""
    medians = {name: statistics.median(run["commands"].get(name, 0) for run in runs) for name in set().union(*(run["commands"] for run in runs))}
    names = sorted((name for name in medians if medians[name] >= 0.01), key=lambda name: (not name.startswith("eval"), name))
    return ", ".join("%s %.2f" % (name, medians[name]) for name in names) or "none"


def table(results, heads, cells):
    print("| | | " + " | ".join(heads) + " |")
    print("|---|---|" + "---:|" * len(heads))
    for name, contenders in results.items():
        base = next(iter(contenders.values()))
        for who, runs in contenders.items():
            median = lambda key: statistics.median(run[key] for run in runs)
            print("| %s | %s | %s |" % (name, who, " | ".join(cells(runs, base, median))))
    print()


def report(results):
    print("\n%d rounds of %d s, %s connections, one worker each, %s; medians\n" % (
        ROUNDS, SECONDS, CONNECTIONS, "contender on CPU 1, load, origin and Redis on CPU 0" if PINNED else "not pinned: one core only"))
    table(results, ["CPU µs/request", "× nginx (min–max)", "requests/s", "× nginx", "p50 ms", "p99 ms", "busy", "foreign"], lambda runs, base, median: [
        "%.1f" % median("cpu_us"), "%.2f (%.2f–%.2f)" % ratios(runs, base, "cpu_us"), "%.0f" % median("requests_per_s"),
        "%.2f" % ratios(runs, base, "requests_per_s")[0]] + ["%.2f" % median(key) for key in ("p50_ms", "p99_ms", "busy", "foreign")])
    over_redis = {name: contenders for name, contenders in results.items() if "Redis" in name}
    if over_redis:
        print("With Redis: CPU µs, commands (from commandstats, a script's own too) and Redis' reads from sockets, per request\n")
        table(over_redis, ["own CPU µs", "Redis' CPU µs", "together", "× nginx + lua + Redis (min–max)", "commands", "reads"], lambda runs, base, median: [
            "%.1f" % median("cpu_us"), "%.1f" % median("redis_us"), "%.1f" % median("together_us"),
            "%.2f (%.2f–%.2f)" % ratios(runs, base, "together_us"), commands_of(runs), "%.2f" % median("reads")])


def main():
    bench = Bench()
    try:
        results = bench.run()
    finally:
        bench.servers.stop()
    report(results)


if __name__ == "__main__":
    main()
