"""One limit and one cache across replicas: two gateways that share a real Redis."""
import collections
import itertools
import threading
import time

from redis_stage import RedisServer
from stage import Scene, in_parallel, main, wait_until

FRESH = [("Cache-Control", "max-age=60")]


def config(redis, **more):
    told = {"redis": {"url": redis.url, "timeout": "5s"}, "cache": {"enabled": True}, "limits": {"enabled": False},
            "server": {"workers": 2}}
    for section, keys in more.items():
        told[section] = dict(told.get(section, {}), **keys)
    return told


def wait_for_redis(gateway):
    wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "the gateway has reached Redis")
    return gateway


class Sharing(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        cls.gateways = [wait_for_redis(stage.gateway(cls.origin, config(cls.redis))).wait_for_tracking() for _ in range(2)]

    def keys(self, pattern="gw:cache:*"):
        return [key.decode() for key in self.redis.cli("KEYS", pattern)]

    def test_a_miss_on_one_gateway_is_a_hit_on_the_other(self):
        self.origin.on("/shared", fields=FRESH, body=b"[1]")
        first = self.gateways[0].fetch("/shared")
        second = wait_until(lambda: self.hit(1, "/shared"), "a hit on the other gateway")
        self.assertEqual((first.field("X-Cache"), second.field("X-Cache")), ("MISS", "HIT"))
        self.assertEqual(second.body, b"[1]")
        self.assertIsNotNone(second.field("Age"))
        self.assertLessEqual(self.origin.count("/shared"), 2)

    def hit(self, number, path):
        answer = self.gateways[number].fetch(path)
        return answer if answer.field("X-Cache") == "HIT" else None

    def test_a_plain_answer_lives_for_300_seconds(self):
        self.origin.on("/plain", body=b"says nothing of freshness")
        before = set(self.keys())
        self.gateways[0].fetch("/plain")
        wait_until(lambda: set(self.keys()) - before, "it is stored")
        key, = set(self.keys()) - before
        self.assertIn(self.redis.cli("TTL", key), range(290, 301))

    def test_one_user_does_not_end_what_all_others_share(self):
        """An answer that says nothing about freshness is not for a request with Cookie; the answer to such a request is not shared
        either."""
        self.origin.on("/page", body=b"of all")
        for number in (0, 1):
            wait_until(lambda: self.hit(number, "/page"), "it is stored")
        for _ in range(2):
            self.assertEqual(self.gateways[0].fetch("/page", [("Cookie", "user=1")]).field("X-Cache"), "MISS")
        asked = self.origin.count("/page")
        for number in (0, 1):
            self.assertIsNotNone(self.hit(number, "/page"))
        self.assertEqual(self.origin.count("/page"), asked)

    def test_a_head_of_more_than_64_kib_comes_back_as_it_was(self):
        fields = FRESH + [("X-Field-%d" % number, "%d" % number * 1000) for number in range(40)] + [("X-Long", "x" * 10000)]
        self.origin.on("/fields", fields=fields, body=b"small")
        self.assertEqual(self.gateways[0].fetch("/fields").status, 200)
        for number in (1, 0):
            answer = wait_until(lambda: self.hit(number, "/fields"), "it is stored")
            self.assertEqual([field for field in answer.fields if field in fields], fields)

    def test_binary_bodies_and_empty_ones_come_back_as_they_were(self):
        for path, body in (("/binary", bytes(range(256)) * 200), ("/empty", b""), ("/large", b"\x00\r\n\xff" * 200000)):
            with self.subTest(path):
                self.origin.on(path, fields=FRESH, body=body)
                self.gateways[0].fetch(path)
                self.assertEqual(wait_until(lambda: self.hit(1, path), "a hit").body, body)

    def test_what_is_too_large_is_not_stored(self):
        self.origin.on("/huge", fields=FRESH, body=b"x" * (1024 * 1024 + 1))
        before = set(self.keys())
        for _ in range(2):
            self.assertEqual(len(self.gateways[0].fetch("/huge").body), 1024 * 1024 + 1)
        self.assertEqual({key for key in set(self.keys()) - before if self.redis.cli("STRLEN", key) > 1000}, set())

    def test_a_corrupt_frame_is_a_miss_and_is_deleted(self):
        self.origin.on("/corrupt", fields=FRESH, body=b"good")
        before = set(self.keys())
        self.gateways[0].fetch("/corrupt")
        wait_until(lambda: set(self.keys()) - before, "it is stored")
        key, = set(self.keys()) - before
        for bad in (b"foreign", self.redis.cli("GET", key)[:-1], self.redis.cli("GET", key)[:40]):
            self.redis.cli("SET", key, bad, "PX", "60000")
            answer = wait_until(lambda: self.answer_of_backend("/corrupt"), "the backend is asked again")
            self.assertEqual(answer.body, b"good")
            wait_until(lambda: self.hit(1, "/corrupt"), "a good frame lies there again")

    def answer_of_backend(self, path):
        answer = self.gateways[1].fetch(path)
        return answer if answer.field("X-Cache") == "MISS" else None

    def test_an_unsafe_method_on_one_invalidates_on_the_other(self):
        value = [b"old"]
        self.origin.on("/changing", lambda call: call.respond(fields=FRESH, body=value[0]))
        for number in (0, 1):
            self.gateways[number].fetch("/changing")
            wait_until(lambda: self.hit(number, "/changing"), "both have it")
        for round_number in range(20):
            value[0] = b"new %d" % round_number
            self.assertEqual(self.gateways[round_number % 2].fetch("/changing", method="PUT", body=b"x").status, 200)
            same = self.gateways[round_number % 2].fetch("/changing")
            self.assertEqual(same.body, value[0], "the answer waited for its tombstone")
            wait_until(lambda: self.gateways[1 - round_number % 2].fetch("/changing").body == value[0], "the other sees it", 5)

    def test_one_round_trip_takes_limit_and_look_up(self):
        gateway = wait_for_redis(self.stage.gateway(self.origin, config(self.redis, limits={"enabled": True, "rate": "1000000/s", "burst": 1000000},
                                                                        cache={"near_bytes": "64KiB", "max_object_bytes": "8KiB"}, server={"workers": 1})))
        self.origin.on("/once", fields=[("Cache-Control", "no-store")])
        self.redis.cli("CONFIG", "RESETSTAT")

        def asks_redis():
            gateway.fetch("/once")
            return self.redis.calls("evalsha")
        wait_until(asks_redis, "the worker's own connection is there")
        def calls(*labels):
            return sum(gateway.metric_sum("gateway_redis_calls_total", kind=label) for label in labels)
        before = calls("limit", "store", "lease", "set"), calls("get")
        with gateway.client() as client:
            for _ in range(50):
                client.get("/once")
        after = calls("limit", "store", "lease", "set"), calls("get")
        self.assertIn(after[0] - before[0], (50, 51))  # and, each ten seconds, the mark that no request need wait for this URL
        self.assertEqual(after[1] - before[1], 50)

    def test_durations_of_calls_are_theirs_alone(self):
        """Counted from now on, not from when the connection was last busy."""
        gateway = wait_for_redis(self.stage.gateway(self.origin, config(self.redis, limits={"enabled": True, "rate": "1000000/s", "burst": 1000000},
                                                                        cache={"enabled": False}, server={"workers": 1})))
        wait_until(lambda: gateway.fetch("/") and gateway.metric_sum("gateway_redis_calls_total", kind="limit", result="ok"), "Redis was asked")
        before, busy = gateway.metric("gateway_redis_duration_seconds_sum"), 0.0
        with gateway.client() as client:
            for _ in range(3):
                time.sleep(0.2)
                began = time.monotonic()
                client.get("/")
                busy += time.monotonic() - began
        self.assertLessEqual(gateway.metric("gateway_redis_duration_seconds_sum") - before, busy)


class OneLimit(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()

    def gateways(self, count, **limits):
        told = config(self.redis, limits=dict({"enabled": True}, **limits), cache={"enabled": False})
        made = [self.stage.gateway(self.origin, told) for _ in range(count)]
        for gateway in made:
            wait_for_redis(gateway)
        return made

    def test_three_gateways_admit_the_burst_together(self):
        gateways = self.gateways(3, rate="1/h", burst=20)
        answers = in_parallel(12, lambda number: [gateways[number % 3].fetch("/").status for _ in range(20)])
        counts = collections.Counter(status for list_of in answers for status in list_of)
        self.assertEqual(counts, {200: 20, 429: 220})

    def test_a_refusal_comes_before_a_hit(self):
        told = config(self.redis, limits={"enabled": True, "rate": "1/h", "burst": 5, "by": "header:X-Key"}, server={"workers": 1})
        gateways = [wait_for_redis(self.stage.gateway(self.origin, told)).wait_for_tracking() for _ in range(2)]
        self.origin.on("/hot", fields=FRESH, body=b"hot")
        for number in (0, 1):
            for name in itertools.count():  # as another client each time: the limit must not be what the test waits for
                if gateways[number].fetch("/hot", [("X-Key", "warm%d.%d" % (number, name))]).field("X-Cache") == "HIT":
                    break
        answers = [status for _ in range(5) for status in in_parallel(10, lambda number: gateways[number % 2].fetch("/hot", [("X-Key", "same")]).status)]
        self.assertEqual(answers.count(200), 5)
        self.assertEqual(gateways[0].fetch("/hot", [("X-Key", "same")]).status, 429)

    def test_a_limit_on_misses_charges_each_request_to_a_backend_once(self):
        told = config(self.redis, limits={"enabled": True, "rate": "1/h", "burst": 10, "count": "misses", "by": "header:X-Key"}, server={"workers": 1})
        gateways = [wait_for_redis(self.stage.gateway(self.origin, told)).wait_for_tracking() for _ in range(2)]
        client = [("X-Key", "misses")]

        def left():
            """Asked by a miss of its own, which costs one call, too."""
            self.misses = getattr(self, "misses", 0) + 1
            return int(gateways[self.misses % 2].fetch("/left/%d" % self.misses, client).field("X-RateLimit-Remaining"))
        self.assertEqual(left(), 9)
        self.origin.on("/charged", fields=FRESH)
        gateways[0].fetch("/charged", client)
        for gateway in gateways:
            wait_until(lambda gateway=gateway: gateway.fetch("/charged").field("X-Cache") == "HIT", "it is stored")
            for _ in range(5):
                self.assertEqual(gateway.fetch("/charged", client).field("X-Cache"), "HIT")
        self.assertEqual(left(), 7, "hits cost nothing")
        self.origin.on("/charged/validated", fields=[("Cache-Control", "no-cache"), ("ETag", '"1"')])
        gateways[0].fetch("/charged/validated", client)
        self.assertEqual(left(), 5)

    def test_a_request_that_waits_for_another_and_asks_after_all_is_charged_once(self):
        told = config(self.redis, limits={"enabled": True, "rate": "1/h", "burst": 10, "count": "misses", "by": "header:X-Key"}, server={"workers": 1})
        gateway = wait_for_redis(self.stage.gateway(self.origin, told)).wait_for_tracking()
        gate = threading.Event()

        def say(call):
            call.wait(gate)
            call.respond(fields=[("Cache-Control", "private")])
        self.origin.on("/released", say)
        clients = [gateway.client() for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.ask(target="/released", fields=[("X-Key", "released")])
        wait_until(lambda: gateway.metric_sum("gateway_requests_in_flight") >= 4, "all are in flight")  # and the request that asks
        gate.set()
        left = sorted(int(client.read().field("X-RateLimit-Remaining")) for client in clients)
        self.assertEqual((left, self.origin.count("/released")), ([7, 8, 9], 3))
        self.assertEqual(gateway.fetch("/released/last", [("X-Key", "released")]).field("X-RateLimit-Remaining"), "6")

    def test_what_is_refused_is_no_miss_of_the_cache(self):
        """The cache was asked in the same write as the limit, but a refused request does not use the cache's answer."""
        told = config(self.redis, limits={"enabled": True, "rate": "1/h", "burst": 1, "by": "header:X-Key"})
        gateway = wait_for_redis(self.stage.gateway(self.origin, told))
        self.assertEqual([gateway.fetch("/refused/%d" % number, [("X-Key", "told")]).status for number in range(3)], [200, 429, 429])
        self.assertEqual([gateway.access_log(1, "/refused/%d" % number)[0].get("cache") for number in range(3)], ["miss", None, None])
        self.assertEqual(gateway.stats()["cache"]["misses"], 1)

    def test_a_flood_that_is_refused_costs_redis_a_call_per_token_due(self):
        gateways = self.gateways(3, rate="2/s", burst=2, by="route")
        for gateway in gateways:
            while gateway.fetch("/").status == 200:
                pass
        self.redis.cli("CONFIG", "RESETSTAT")
        began = time.monotonic()
        answers = in_parallel(6, lambda number: [gateways[number % 3].fetch("/").status for _ in range(300)])
        seconds = time.monotonic() - began
        admitted = sum(status == 200 for list_of in answers for status in list_of)
        calls = self.redis.calls("evalsha") + self.redis.calls("eval")
        # a call per instance for each token due, one per second for a bound that is no longer believed, and the calls that were under way
        self.assertLessEqual(calls, 3 * (2 * seconds + 2) + 3 * (seconds + 1) + admitted + 12)
        self.assertLess(calls, 1800)

    def test_headers_tell_the_shared_level(self):
        gateways = self.gateways(2, rate="1/h", burst=10, by="header:X-Key")
        key = [("X-Key", "k%f" % time.time())]
        self.assertEqual(gateways[0].fetch("/", key).field("X-RateLimit-Remaining"), "9")
        self.assertEqual(gateways[1].fetch("/", key).field("X-RateLimit-Remaining"), "8")
        self.assertEqual(gateways[0].fetch("/", key).field("RateLimit").split(";")[1], "r=7")


class NameSpaces(Scene):
    """Gateways of one Redis and one prefix: two before one backend, two before another, one of these by a name of its own."""
    TOKEN = "only-these-tests-know-it"

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.production, cls.staging = stage.origin(), stage.origin()
        named = {"namespace": "shop"}
        url = cls.production.url
        cls.live, cls.twin, cls.test, cls.named, cls.moved = [
            wait_for_redis(stage.gateway(backend, config(cls.redis, cache=cache, admin={"token": cls.TOKEN}))).wait_for_tracking()
            for backend, cache in ((url, {}), (url.replace("http:", "HTTP:") + "/", {}), (cls.staging, {}), (url, named), (cls.staging, named))]
        for origin, body in ((cls.production, b"production"), (cls.staging, b"staging")):
            for path in ("/apart", "/seen", "/named", "/prefix", "/unsafe", "/purged"):
                origin.on(path, fields=FRESH + [("Surrogate-Key", "t" + path[1:])], body=body)

    def label(self, gateway, path):
        answer = gateway.fetch(path)
        return answer.field("X-Cache"), answer.body

    def store(self, path, *gateways):
        for gateway in gateways:
            wait_until(lambda gateway=gateway: self.label(gateway, path)[0] == "HIT", "it is stored")

    def ask_admin(self, gateway, target, method):
        return gateway.fetch("/gateway/cache/" + target, [("Authorization", "Bearer " + self.TOKEN)], method)

    def test_other_backends_answers_are_never_served(self):
        self.store("/apart", self.live)
        self.assertEqual(self.label(self.test, "/apart"), ("MISS", b"staging"))
        self.assertEqual(self.label(self.twin, "/apart"), ("HIT", b"production"))
        self.assertEqual(self.label(self.named, "/apart"), ("MISS", b"production"))

    def test_a_name_keeps_what_is_stored_when_backends_change(self):
        self.store("/named", self.named)
        self.assertEqual(self.label(self.moved, "/named"), ("HIT", b"production"))

    def test_inspection_looks_in_its_own(self):
        self.store("/seen", self.live, self.test)
        places = [self.ask_admin(gateway, "inspect?url=http%3A//gateway.test/seen", "GET").json()["key"]
                  for gateway in (self.live, self.twin, self.test, self.named)]
        self.assertEqual([place == places[0] for place in places], [True, True, False, False])

    def test_an_unsafe_method_ends_what_its_own_name_space_has(self):
        self.store("/unsafe", self.live, self.test)
        self.twin.fetch("/unsafe", [], "DELETE")
        wait_until(lambda: self.label(self.live, "/unsafe")[0] == "MISS", "the other instance hears of it")
        self.assertEqual(self.label(self.test, "/unsafe")[0], "HIT")

    def test_a_url_is_purged_in_its_own(self):
        self.store("/purged", self.live, self.test)
        self.assertEqual(self.ask_admin(self.twin, "purge?url=http%3A//gateway.test/purged", "POST").status, 200)
        self.assertEqual(self.label(self.live, "/purged")[0], "MISS")
        self.assertEqual(self.label(self.test, "/purged")[0], "HIT")

    def test_a_prefix_and_a_tag_and_all_are_purged_in_each(self):
        for query in ("prefix=/prefix", "tag=tprefix", "all=1"):
            with self.subTest(query):
                self.store("/prefix", self.live, self.test, self.named)
                self.assertEqual(self.ask_admin(self.live, "purge?" + query, "POST").status, 200)
                for gateway in (self.twin, self.test, self.named):
                    wait_until(lambda gateway=gateway: self.label(gateway, "/prefix")[0] == "MISS", "the purge is heard of")


if __name__ == "__main__":
    main()
