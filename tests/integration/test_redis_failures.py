"""When Redis is slow, down, failing over or sending nonsense, clients see nothing of it, except for a first redis.timeout."""
import itertools
import re
import socket
import threading
import time

from redis_stage import RedisServer
from stage import PATIENCE, Port, Scene, Stage, main, wait_until

FRESH = [("Cache-Control", "max-age=60")]


def config(url, **more):
    told = {"redis": {"url": url}, "cache": {"enabled": True}, "limits": {"enabled": True, "rate": "100000/s", "burst": 100000},
            "server": {"workers": 2}}
    for section, keys in more.items():
        told[section] = dict(told.get(section, {}), **keys)
    return told


def redis_word(gateway):
    return gateway.fetch("/gateway/health").json()["redis"]


def status_word(gateway):
    return gateway.fetch("/gateway/health").json()["status"]


class Failures(Scene):
    """Each test has a Redis and a gateway of its own."""

    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.origin = self.stage.origin()
        self.origin.on("/", fields=[("Cache-Control", "no-store")], body=b"ok")
        self.number = 0

    def gateway(self, up=True, url=None, **more):
        gateway = self.stage.gateway(self.origin, config(url or self.redis.url, **more))
        if up:
            wait_until(lambda: redis_word(gateway) == "up", "the gateway has reached Redis")
        return gateway

    def ask_all_is_well(self, gateway, times=30):
        """No error, whatever Redis does; for misses and hits alike."""
        with gateway.client() as client:
            for _ in range(times):
                self.number += 1
                self.origin.on("/item/%d" % self.number, fields=FRESH, body=b"%d" % self.number)
                for path, body in (("/", b"ok"), ("/item/%d" % self.number, b"%d" % self.number), ("/item/%d" % self.number, b"%d" % self.number)):
                    answer = client.get(path)
                    self.assertEqual((answer.status, answer.body), (200, body))

    def comes_back(self, gateway):
        wait_until(lambda: redis_word(gateway) == "up" and status_word(gateway) == "ok", "the gateway has found Redis again")
        self.ask_all_is_well(gateway)

    def test_killed_and_started_again(self):
        gateway = self.gateway()
        self.ask_all_is_well(gateway)
        self.redis.kill()
        self.ask_all_is_well(gateway)
        wait_until(lambda: redis_word(gateway) == "down", "it is noticed")
        self.assertEqual(status_word(gateway), "degraded")
        self.ask_all_is_well(gateway)
        self.redis.restart()
        self.comes_back(gateway)

    def test_while_it_is_away_own_fetches_are_kept_for_the_outage_ttl(self):
        def ttl(gateway, path):
            answer = gateway.fetch(path)
            found = re.search("ttl=([0-9]+)", answer.field("Cache-Status"))
            return int(found.group(1)) if answer.field("X-Cache") == "HIT" else None
        self.origin.on("/kept", fields=FRESH)
        self.origin.on("/short", fields=[("Cache-Control", "max-age=2")])
        gateway = self.gateway(cache={"outage_ttl": "20s"})
        brief = self.gateway(cache={"outage_ttl": "1s"})
        self.redis.kill()
        for each in (gateway, brief):
            wait_until(lambda: redis_word(each) == "down", "it is noticed")
        left = wait_until(lambda: ttl(gateway, "/kept"), "it is kept, as soon as what is in memory counts")
        self.assertIn(left, range(1, 21), "not the 60 s that the backend says")
        gateway.fetch("/short")
        self.assertIn(ttl(gateway, "/short"), (None, 0, 1, 2), "never longer than the backend says")
        wait_until(lambda: ttl(brief, "/kept") is not None, "it is kept")
        wait_until(lambda: ttl(brief, "/kept") is None, "its second is over")
        self.redis.restart()
        self.comes_back(gateway)
        self.origin.on("/after", fields=FRESH)
        paths = ("/after?%d" % number for number in itertools.count())

        def kept_in_full():  # a new URL each time: an answer that was fetched while Redis still counted as away keeps its short life
            path = next(paths)
            gateway.fetch(path)
            return (ttl(gateway, path) or 0) in range(30, 61)
        wait_until(kept_in_full, "what is fetched now is kept for as long as the backend says")

    def test_frozen_and_thawed(self):
        gateway = self.gateway()
        self.redis.freeze()
        self.ask_all_is_well(gateway)
        wait_until(lambda: redis_word(gateway) == "down", "it is noticed")
        self.redis.thaw()
        self.comes_back(gateway)

    def test_frozen_stalls_a_request_no_longer_than_the_timeout_allows(self):
        gateway = self.gateway(redis={"url": self.redis.url, "timeout": "200ms"})
        self.redis.freeze()
        times = []
        with gateway.client() as client:
            for _ in range(10):
                began = time.monotonic()
                self.assertEqual(client.get("/").status, 200)
                times.append(time.monotonic() - began)
        # at most the first requests waited; the bound is for slow machines
        self.assertLess(sorted(times)[-4], PATIENCE)
        self.assertLess(sum(times), PATIENCE)
        wait_until(lambda: redis_word(gateway) == "down", "the breaker is open")
        self.redis.thaw()

    def test_frozen_holds_no_drain(self):
        """Requests that still store when the drain's time is over are not waited for, however long Redis may be silent: the stage
        asserts it."""
        self.origin.on("/stored", lambda call: (self.redis.freeze(), call.respond(fields=FRESH, body=b"stored")))
        with Stage() as stage:
            gateway = stage.gateway(self.origin, config(self.redis.url, redis={"timeout": "60s"}, server={"drain_timeout": "300ms"}))
            wait_until(lambda: redis_word(gateway) == "up", "the gateway has reached Redis")
            self.assertEqual(gateway.fetch("/stored").body, b"stored")

    def test_absent_at_the_start(self):
        self.redis.kill()
        gateway = self.gateway(up=False)
        self.assertEqual(status_word(gateway), "degraded")
        self.ask_all_is_well(gateway)
        self.redis.restart()
        self.comes_back(gateway)

    def test_script_flush_and_flushall_under_load(self):
        gateway = self.gateway()
        stop = threading.Event()

        def flush():
            with self.redis.connect() as link:
                while not stop.is_set():
                    link.command("SCRIPT", "FLUSH")
                    link.command("FLUSHALL")
        flusher = threading.Thread(target=flush, daemon=True)
        flusher.start()
        try:
            self.ask_all_is_well(gateway, 60)
        finally:
            stop.set()
            flusher.join(PATIENCE)
        self.assertEqual(redis_word(gateway), "up")

    def test_out_of_memory_leaves_the_limiter_alone(self):
        gateway = self.gateway()
        used = int(self.redis.info("memory")["used_memory"])
        self.redis.cli("CONFIG", "SET", "maxmemory", str(used // 2))
        self.redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.ask_all_is_well(gateway)
        self.assertEqual((status_word(gateway), redis_word(gateway)), ("degraded", "full"))
        self.redis.cli("CONFIG", "SET", "maxmemory", "0")
        self.comes_back(gateway)

    def test_readonly_is_left_for_the_primary(self):
        gateway = self.gateway()
        other = RedisServer()
        self.addCleanup(other.stop)
        self.redis.cli("REPLICAOF", other.host, other.port)
        self.ask_all_is_well(gateway)
        wait_until(lambda: redis_word(gateway) == "down", "a replica is no place to write")
        self.redis.cli("REPLICAOF", "NO", "ONE")
        self.comes_back(gateway)

    def test_a_wrong_password_that_is_put_right(self):
        self.redis.cli("CONFIG", "SET", "requirepass", "right")
        self.redis.log_in(None, "right")
        url = self.redis.url.replace("redis://", "redis://:wrong@")
        gateway = self.gateway(up=False, url=url)
        self.ask_all_is_well(gateway)
        self.assertEqual(redis_word(gateway), "down")
        self.redis.cli("CONFIG", "SET", "requirepass", "wrong")
        self.redis.log_in(None, "wrong")
        self.comes_back(gateway)
        self.assertNotIn(b":wrong@", gateway.errors() + gateway.out())

    def test_acl_user_database_and_name(self):
        self.redis.cli("ACL", "SETUSER", "gate", "on", ">secret", "~*", "&*", "+@all")
        gateway = self.gateway(url=self.redis.url.replace("redis://", "redis://gate:secret@") + "/3")
        self.ask_all_is_well(gateway)
        clients = self.redis.cli("CLIENT", "LIST").decode()
        self.assertIn("user=gate", clients)
        self.assertIn("name=visara-gateway", clients)
        self.redis.cli("SELECT", 3)
        self.assertGreater(self.redis.cli("DBSIZE"), 0)

    def test_policies_allow_and_deny(self):
        policies = [{"name": name, "rate": "1/h", "burst": 1, "path": "/" + name, "on_redis_failure": name} for name in ("allow", "deny", "local")]
        policies[1]["count"] = "misses"
        gateway = self.gateway(limits={"enabled": True, "rate": "off", "policies": policies}, cache={"enabled": True})
        for name in ("allow", "deny", "local"):
            self.origin.on("/" + name)
        self.redis.kill()
        wait_until(lambda: redis_word(gateway) == "down", "it is noticed")
        self.assertEqual([gateway.fetch("/allow").status for _ in range(5)], [200] * 5)
        denied = gateway.fetch("/deny")
        self.assertEqual(denied.status, 503)
        self.assertIsNotNone(denied.field("Retry-After"))
        self.assertNotIn("cache", gateway.access_log(1, "/deny")[0])  # a refused request is no miss
        before = gateway.metric("gateway_limiter_local_decisions_total")
        self.assertEqual([gateway.fetch("/local").status for _ in range(3)][1:], [429, 429])
        wait_until(lambda: gateway.metric("gateway_limiter_local_decisions_total") == before + 3, "they are counted as decided here")
        self.redis.restart()
        wait_until(lambda: redis_word(gateway) == "up", "it is back")
        wait_until(lambda: gateway.fetch("/deny").status == 200, "the worker's own connection is back, too")


class Nonsense(Scene):
    """A socket that accepts like Redis and gives answers that no Redis gives."""

    REPLIES = {
        "garbage": b"\x00\x01\x02 nonsense\r\n",
        "an endless bulk": b"$1000000000\r\n" + b"x" * 100000,
        "an endless line": b"+" + b"x" * 1000000,
        "a deep array": b"*1\r\n" * 1000,
        "a wrong type": b":1\r\n" * 100,
        "errors": b"-ERR no\r\n" * 100,
        "loading": b"-LOADING Redis is loading the dataset in memory\r\n" * 100,
        "http": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        "nothing": b"",
    }

    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.origin.on("/", fields=[("Cache-Control", "no-store")], body=b"ok")

    def serve(self, said):
        lease = Port()
        self.addCleanup(lease.release)
        listener = socket.create_server(("127.0.0.1", lease.number))
        self.addCleanup(listener.close)

        def talk(link):
            try:
                with link:
                    while link.recv(65536):
                        link.sendall(said)
            except OSError:
                pass

        def accept():
            try:
                while True:
                    link, _ = listener.accept()
                    threading.Thread(target=talk, args=(link,), daemon=True).start()
            except OSError:
                pass
        threading.Thread(target=accept, daemon=True).start()
        return lease.number

    def test_is_not_believed(self):
        for name, said in self.REPLIES.items():
            with self.subTest(name):
                port = self.serve(said)
                gateway = self.stage.gateway(self.origin, config("redis://127.0.0.1:%d" % port))
                before = gateway.rss()
                with gateway.client() as client:
                    for _ in range(30):
                        answer = client.get("/")
                        self.assertEqual((answer.status, answer.body), (200, b"ok"))
                self.assertEqual(redis_word(gateway), "down")
                self.assertLess(gateway.rss() - before, 64 * 1024 * 1024)


class TwoRedis(Scene):
    number = 0

    @classmethod
    def set_stage(cls, stage):
        cls.limits, cls.cache = RedisServer(), RedisServer()
        stage.actors += [cls.limits, cls.cache]
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, config(
            cls.limits.url, cache={"enabled": True, "redis_url": cls.cache.url}, limits={"rate": "1/min"}))  # a bucket's key expires when the bucket is full
        wait_until(lambda: redis_word(cls.gateway) == "up", "both are reached")

    def test_each_holds_its_own(self):
        def is_stored():  # after the worker's own connection is open
            self.number += 1
            self.origin.on("/own/%d" % self.number, fields=FRESH)
            self.gateway.fetch("/own/%d" % self.number)
            return self.cache.cli("KEYS", "gw:cache:*")
        wait_until(is_stored, "the cache's Redis holds a response")
        self.assertTrue(self.limits.cli("KEYS", "gw:rl:*"))
        self.assertEqual(self.limits.cli("KEYS", "gw:cache:*"), [])
        self.assertEqual(self.cache.cli("KEYS", "gw:rl:*"), [])

    def test_the_caches_end_leaves_the_limit_shared(self):
        self.cache.kill()
        wait_until(lambda: redis_word(self.gateway) == "down", "it is noticed")
        self.limits.cli("CONFIG", "RESETSTAT")
        for _ in range(5):
            self.assertEqual(self.gateway.fetch("/").status, 200)
        self.assertGreaterEqual(self.limits.calls("evalsha"), 5)
        self.cache.restart()
        wait_until(lambda: redis_word(self.gateway) == "up", "it is back")


if __name__ == "__main__":
    main()
