"""Three instances with memory caches on one Redis, under updates: no stale answer stays, whatever happens to Redis or to the two
connections that bring its messages."""
import random
import threading
import time

from redis_stage import RedisServer
from stage import SANITIZER, Scene, in_parallel, main, wait_until

KEYS = 8
UPDATES = 1500 if SANITIZER else 3000


class Counters:
    """An origin of numbers: PUT adds one to a number, GET returns it, fresh for an hour."""

    def __init__(self, origin):
        self.lock, self.values = threading.Lock(), {}
        for key in range(KEYS):
            origin.on("/item/%d" % key, self.answer)

    def answer(self, call):
        path = call.request.target
        with self.lock:
            if call.request.method == "PUT":
                self.values[path] = self.values.get(path, 0) + 1
            value = self.values.get(path, 0)
        if call.request.method == "PUT":
            call.respond(200, body=b"%d" % value)
        else:
            call.respond(fields=[("Cache-Control", "max-age=3600")], body=b"%d" % value)


class Tracking(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()

    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.counters = Counters(self.origin)
        told = {"redis": {"url": self.redis.url}, "cache": {"enabled": True}, "server": {"workers": 2}}
        self.gateways = [self.stage.gateway(self.origin, told) for _ in range(3)]
        self.all_coherent()

    def all_coherent(self):
        for gateway in self.gateways:
            wait_until(lambda: gateway.stats().get("near_cache_coherent") and gateway.fetch("/gateway/health").json()["redis"] == "up",
                       "the memory cache is kept coherent")

    def hammer(self, updates, disturb=None):
        """Writers and readers at every instance. When an instance has answered a write, its readers never see the value before it."""
        done = threading.Event()

        def read(number):
            generator = random.Random(number)
            with self.gateways[number % 3].client() as client:
                while not done.is_set():
                    client.get("/item/%d" % generator.randrange(KEYS))

        def write(number):
            generator = random.Random(1000 + number)
            with self.gateways[number % 3].client() as client:
                for _ in range(updates // 3):
                    client.ask("PUT", "/item/%d" % generator.randrange(KEYS), body=b"")
                    client.read("PUT")

        def disturber():
            while not done.wait(0.05):
                disturb()
        readers = [threading.Thread(target=read, args=(number,)) for number in range(3)]
        if disturb:
            readers.append(threading.Thread(target=disturber))
        for thread in readers:
            thread.start()
        try:
            in_parallel(3, write)
        finally:
            done.set()
            for thread in readers:
                thread.join()

    def assert_nothing_stale_stays(self):
        for key in range(KEYS):
            path = "/item/%d" % key
            for gateway in self.gateways:
                wait_until(lambda: gateway.fetch(path).body == b"%d" % self.counters.values.get(path, 0), "%s is up to date" % path, 5)
        # And it stays so: an answer from memory is the same as the origin's.
        for key in range(KEYS):
            path = "/item/%d" % key
            answers = {gateway.fetch(path).body for gateway in self.gateways}
            self.assertEqual(answers, {b"%d" % self.counters.values.get(path, 0)})

    def pair(self):
        """Ids of the tracking and the subscribed connections, as Redis lists them."""
        lines = self.redis.cli("CLIENT", "LIST").decode().splitlines()
        found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        return [client["id"] for client in found if "t" in client["flags"]], [client["id"] for client in found if "P" in client["flags"]]

    def test_thousands_of_updates_leave_nothing_stale(self):
        self.hammer(UPDATES)
        self.assert_nothing_stale_stays()
        hits = sum(gateway.metric('gateway_cache_hits_total{tier="near"}') for gateway in self.gateways)
        self.assertGreater(hits, 0)

    def test_an_update_is_seen_at_once_where_it_was_answered(self):
        with self.gateways[0].client() as client:
            for _ in range(100):
                client.ask("PUT", "/item/0", body=b"")
                written = client.read("PUT").body
                self.assertEqual(client.get("/item/0").body, written)

    def test_connections_that_are_killed_leave_nothing_stale(self):
        for which in (0, 1):
            with self.subTest(("tracker", "subscriber")[which]):
                def kill():
                    for number in self.pair()[which]:
                        self.redis.cli("CLIENT", "KILL", "ID", number)
                self.hammer(UPDATES // 4, kill)
                self.all_coherent()
                self.assert_nothing_stale_stays()

    def test_a_frozen_redis_leaves_nothing_stale(self):
        def freeze():
            self.redis.freeze()
            time.sleep(0.3)
            self.redis.thaw()
            time.sleep(0.2)
        self.hammer(UPDATES // 4, freeze)
        self.all_coherent()
        self.assert_nothing_stale_stays()

    def test_a_redis_that_lost_everything_leaves_nothing_stale(self):
        self.hammer(300)
        self.redis.restart()
        self.all_coherent()
        self.hammer(300)
        self.assert_nothing_stale_stays()


if __name__ == "__main__":
    main()
