"""docker-compose.yml as its user runs it: three replicas behind nginx, one Redis, Prometheus. `make test-compose`.

Needs a Docker engine (DOCKER_HOST or the local socket) with docker-compose or `docker compose`. Takes everything down at the end."""
import collections
import concurrent.futures
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROJECT = "visaratest"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


NGINX, PROMETHEUS = free_port(), free_port()
ENVIRONMENT = dict(os.environ, COMPOSE_PROJECT_NAME=PROJECT, NGINX_PORT=str(NGINX), PROMETHEUS_PORT=str(PROMETHEUS),
                   # one token each hour: what 60 requests get is the burst, whichever replica they meet
                   RATE_LIMIT_RATE="1/h", RATE_LIMIT_BURST="20", LOG_LEVEL="info",
                   # no promise about time: on a machine that is slow, Redis is not taken for dead
                   REDIS_TIMEOUT="5s")


def compose_command():
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    return ["docker", "compose"]


def compose(*arguments, check=True, quiet=True):
    run = subprocess.run(compose_command() + list(arguments), cwd=ROOT, env=ENVIRONMENT, text=True,
                         stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None)
    if check and run.returncode:
        raise AssertionError("%s: %s" % (" ".join(arguments), (run.stdout or "")[-4000:]))
    return run.stdout or ""


def get(path, port=NGINX, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def wait_for(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, http.client.HTTPException, AssertionError, ValueError):
            pass
        time.sleep(0.2)
    raise AssertionError("waited %d s in vain: %s" % (seconds, what))


def containers(service):
    return compose("ps", "-q", service).split()


def stats_of(container):
    ask = r'exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET /gateway/stats HTTP/1.0\r\n\r\n" >&3; cat <&3'  # the image has no client
    text = subprocess.run(["docker", "exec", container, "bash", "-c", ask], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(text.partition("\n\n")[2])


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        compose("down", "-v", "--remove-orphans", check=False)
        cls.addClassCleanup(compose, "down", "-v", "--remove-orphans", check=False)
        compose("up", "--build", "-d", "--scale", "gateway=3", quiet=False)
        wait_for("nginx answers", lambda: get("/gateway/health")[0] == 200, 120)
        wait_for("nginx knows three gateways", lambda: cls.replicas_seen() == 3, 60)

    @staticmethod
    def replicas_seen():
        return len({get("/gateway/stats")[2] and json.loads(get("/gateway/stats")[2])["instance"] for _ in range(12)})

    def test_1_a_miss_on_one_replica_is_a_hit_on_another(self):
        answers = [get("/reports/1") for _ in range(9)]
        caches = [headers["X-Cache"] for _, headers, _ in answers]
        self.assertEqual(caches[0], "MISS")
        self.assertEqual(set(caches[1:]), {"HIT"}, caches)
        hits = [stats_of(container)["cache"]["hits"] for container in containers("gateway")]
        self.assertGreater(sum(1 for count in hits if count), 1, "hits came from one replica only: %s" % hits)

    def test_2_one_limit_holds_over_three_replicas(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = collections.Counter(pool.map(lambda _: get("/reports")[0], range(60)))
        # nine tokens went to the test before
        self.assertEqual(statuses[200], 11, statuses)
        self.assertEqual(statuses[429], 49, statuses)

    def test_3_clients_cannot_name_themselves(self):
        status, headers, _ = get("/reports", headers={"X-Forwarded-For": "203.0.113.99"})
        self.assertEqual(status, 429, headers)

    def test_4_prometheus_sees_three_targets(self):
        def healthy():
            targets = json.loads(get("/api/v1/targets", PROMETHEUS)[2])["data"]["activeTargets"]
            return sum(1 for target in targets if target["health"] == "up") == 3
        wait_for("three targets are up", healthy, 60)
        answer = json.loads(get("/api/v1/query?query=sum(gateway_requests_total)", PROMETHEUS)[2])
        self.assertGreater(float(answer["data"]["result"][0]["value"][1]), 0)

    def test_5_the_cache_lives_in_redis_with_its_expiry(self):
        redis = containers("redis")[0]
        keys = subprocess.run(["docker", "exec", redis, "redis-cli", "--scan", "--pattern", "gw:cache:*"], env=ENVIRONMENT, text=True,
                              stdout=subprocess.PIPE, check=True).stdout.split()
        self.assertTrue(keys)
        for key in keys:
            ttl = int(subprocess.run(["docker", "exec", redis, "redis-cli", "TTL", key], env=ENVIRONMENT, text=True,
                                     stdout=subprocess.PIPE, check=True).stdout)
            self.assertGreater(ttl, 0)
            self.assertLessEqual(ttl, 300)

    def test_6_stopping_one_replica_loses_no_request(self):
        victim = containers("gateway")[0]
        statuses = collections.Counter()
        stopping = subprocess.Popen(["docker", "stop", "-t", "35", victim], env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while stopping.poll() is None or sum(statuses.values()) < 200:
            statuses[get("/gateway/health")[0]] += 1
            statuses[get("/reports/2")[0]] += 1
            self.assertLess(time.monotonic(), deadline)
        # refused by the limit is an answer; anything else is a lost request (a draining replica says 503 of itself)
        self.assertEqual(set(statuses) - {200, 429, 503}, set(), statuses)
        lost = {status: n for status, n in statuses.items() if status in (502, 504)}
        self.assertEqual(lost, {}, statuses)
        self.assertEqual(stopping.returncode, 0)

    def test_7_rediss_works(self):
        """The image's hiredis speaks TLS: a gateway against a Redis that speaks nothing else, its certificate verified."""
        script = r"""
set -eu
cd /tmp
apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends redis-server openssl curl >/dev/null 2>&1
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost >/dev/null 2>&1
redis-server --port 0 --tls-port 6390 --tls-cert-file cert.pem --tls-key-file key.pem --tls-ca-cert-file cert.pem --tls-auth-clients no --save '' --daemonize yes >/dev/null
export REDIS_URL=rediss://localhost:6390/0 BACKEND_URL=http://127.0.0.1:9 GATEWAY_PORT=8099 LOG_LEVEL=info
visara-gateway --redis.tls_ca_file /tmp/cert.pem >/tmp/out 2>&1 & a=$!
GATEWAY_PORT=8098 visara-gateway >/tmp/out2 2>&1 & b=$!
sleep 3
curl -s http://127.0.0.1:8099/gateway/health; echo
curl -s http://127.0.0.1:8098/gateway/health; echo
kill $a $b
"""
        image = "%s_gateway" % PROJECT
        text = subprocess.run(["docker", "run", "--rm", "-i", "--user", "0", "--entrypoint", "/bin/sh", image, "-s"], input=script,
                              env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        self.assertEqual(len(lines), 2, text)
        self.assertEqual(lines[0]["redis"], "up", text)
        self.assertEqual(lines[1]["redis"], "down", "an unverified certificate was accepted: " + text)


if __name__ == "__main__":
    if not shutil.which("docker"):
        sys.exit("test-compose: no docker client here")
    unittest.main(verbosity=2)
