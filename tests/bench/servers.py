"""What a run needs, as processes: origin, nginx, nginx with lua, a Redis for each side, gateways; on free ports, gone with stop()."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from contender import Redis

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONF = os.path.join(ROOT, "tests/bench/conf")
BINARY = os.environ.get("GATEWAY_BINARY") or os.path.join(ROOT, "visara-gateway")
PINNED = len(os.sched_getaffinity(0)) >= 2 and {0, 1} <= os.sched_getaffinity(0)
ON_LOAD = ["taskset", "-c", "0"] if PINNED else []
ON_CONTENDER = ["taskset", "-c", "1"] if PINNED else []
PORTS = ["origin", "nginx_pass", "nginx_hit", "nginx_refuse", "nginx_whole", "lua_pass", "lua_hit", "lua_refuse", "lua_whole", "lua_redis", "gateway_redis"]

NO_LIMITS, NO_CACHE = {"enabled": False}, {"enabled": False}
NEVER_REFUSES = {"enabled": True, "rate": "1000000/s", "burst": 1000000}
REFUSES = {"enabled": True, "rate": "1/min", "burst": 1}
# A memory cache takes nothing that is over an eighth of it: all hits are Redis'.
FROM_REDIS_1K = {"enabled": True, "near_bytes": 4096, "max_object_bytes": 4096}
FROM_REDIS_64K = {"enabled": True, "near_bytes": 131072, "max_object_bytes": 131072}
GATEWAYS = {
    "pass": {"cache": NO_CACHE, "limits": NO_LIMITS},
    "hit": {"cache": {"enabled": True}, "limits": NO_LIMITS},
    "refuse": {"cache": NO_CACHE, "limits": REFUSES},
    "whole": {"cache": {"enabled": True}, "limits": NEVER_REFUSES},
    "redis_pass": {"cache": NO_CACHE, "limits": NEVER_REFUSES},
    "redis_hit_1k": {"cache": FROM_REDIS_1K, "limits": NO_LIMITS},
    "redis_hit_64k": {"cache": FROM_REDIS_64K, "limits": NO_LIMITS},
    "redis_refuse": {"cache": NO_CACHE, "limits": REFUSES},
    "redis_whole": {"cache": FROM_REDIS_1K, "limits": NEVER_REFUSES},
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def modules():
    """Where nginx has its modules; None where that of lua, or the client for Redis, is not installed."""
    said = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"--modules-path=(\S+)", said)
    have = found and os.path.exists(found[1] + "/ngx_http_lua_module.so") and os.path.exists("/usr/share/lua/5.1/nginx/redis.lua")
    return found[1] if have else None


class Servers:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="visara-gateway-bench-")
        os.chmod(self.folder, 0o755)
        os.makedirs(self.folder + "/www")
        os.makedirs(self.folder + "/cache")
        os.chmod(self.folder + "/cache", 0o777)
        with open(self.folder + "/www/64k", "wb") as file:
            file.write(b"x" * 65536)
        self.ports = {name: free_port() for name in PORTS + list(GATEWAYS)}
        self.words = dict(self.ports, folder=self.folder, conf=CONF, body="x" * 1024, modules=modules())
        self.processes = []

    def start(self, command, port):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "BACKEND_", "RATE_", "CACHE_", "REDIS_"))}
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

    def start_nginx(self, name, port, pin):
        with open("%s/%s.conf" % (CONF, name), encoding="ascii") as file:
            template = file.read()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        words = dict(self.words, temporary=" ".join("%s_temp_path %s/%s-%s;" % (kind, self.folder, name, kind) for kind in kinds))
        path = "%s/%s.conf" % (self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(re.sub(r"@(\w+)@", lambda word: str(words[word[1]]), template))
        return self.start(pin + ["nginx", "-c", path], self.ports[port])

    def start_redis(self, port):
        pid = self.start(ON_LOAD + ["redis-server", "--port", str(self.ports[port]), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], self.ports[port])
        return Redis(pid, self.ports[port])

    def start_lua(self, redis):
        with open(ROOT + "/redis/token_bucket.lua", encoding="utf-8") as file:
            self.words["bucket"] = redis.command("SCRIPT", "LOAD", file.read()).strip()
        return self.start_nginx("lua", "lua_pass", ON_CONTENDER)

    def start_gateway(self, name):
        path = "%s/%s.json" % (self.folder, name)
        ours = {"server": {"port": self.ports[name], "host": "127.0.0.1", "workers": 1}, "backend": {"url": "http://127.0.0.1:%d" % self.ports["origin"]},
                "log": {"access": "off", "level": "warn"}, "cors": {"enabled": False}}
        if name.startswith("redis_"):
            # A prefix of its own, so that buckets are not shared. Patient: on a busy machine a gateway that takes Redis for dead would win.
            ours["redis"] = {"url": "redis://127.0.0.1:%d" % self.ports["gateway_redis"], "prefix": "%s:" % name, "timeout": "2s"}
        with open(path, "w", encoding="ascii") as file:
            json.dump(dict(ours, **GATEWAYS[name]), file)
        return self.start(ON_CONTENDER + [BINARY, "--config", path], self.ports[name])

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
