"""The cost of a request in Redis: which commands it takes over its whole life, and how many round trips before the backend is asked."""
import threading
import time

from redis_stage import RedisServer
from redis_tap import Tap
from stage import Scene, main, wait_until

FRESH = [("Cache-Control", "max-age=60"), ("ETag", '"1"')]
BODY = b"x" * 3000


def kind(words):
    """limit, look (PTTL and GET are two), lock, store, release."""
    if words[0] != b"EVALSHA":
        return words[0].decode().lower()
    if words[3].startswith(b"gw:rl:"):
        return "limit"
    if words[3].startswith(b"gw:lock:"):
        return {b"take": "lock", b"keep": "keep", b"leave": "release"}[words[3 + int(words[2])]]
    return "store"


class Tapped(Scene):
    FLIGHT = "instances"

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.tap = Tap(cls.redis)
        cls.addClassCleanup(cls.tap.stop)
        cls.origin = stage.origin()
        cls.gateways = [stage.gateway(cls.origin, {
            "redis": {"url": cls.tap.url, "timeout": "5s"},
            "limits": {"enabled": True, "rate": "1000/s", "burst": 1000},
            "cache": {"enabled": True, "flight": cls.FLIGHT, "flight_wait": "20s"}, "server": {"workers": 1}}) for _ in range(3)]
        for gateway in cls.gateways:
            gateway.wait_for_tracking()
            gateway.fetch("/before")  # the scripts are known

    def commands(self, ask, until="release"):
        """The commands that ask() caused, as words; asked: the time when the backend was asked, or None."""
        wait_until(lambda: not sum(gateway.metric_sum("gateway_redis_pending") for gateway in self.gateways), "nothing is under way")
        self.tap.clear()
        ask()
        wait_until(lambda: not until or any(kind(words) == until for _, _, words in self.tap.seen), "it is over")
        return list(self.tap.seen)

    def say(self, path, fields=FRESH):
        """Answers, and notes when the backend was asked first."""
        self.asked = []

        def answer(call):
            self.asked.append(time.monotonic())
            if call.request.has("If-None-Match"):
                call.respond(304, fields=FRESH)
            else:
                call.respond(fields=fields, body=BODY)
        self.origin.on(path, answer)

    def round_trips(self, seen):
        """Round trips before the backend was asked: writes that each wait for the answer to the one before."""
        return len({write for when, write, _ in seen if when < self.asked[0]})

    def kinds(self, seen):
        """Without renewals of the lock, because their number depends on time."""
        return [word for word in (kind(words) for _, _, words in list(seen)) if word != "keep"]

    def ask_many(self, path, gate, count, condition):
        """So many clients, in turn at each gateway; the backend answers when the condition holds."""
        clients = [self.gateways[number % 3].client() for number in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.ask(target=path)
        wait_until(condition, "they wait")
        gate.set()
        self.assertEqual({client.read().body for client in clients}, {BODY})



class OverInstances(Tapped):
    def test_a_cold_miss(self):
        self.say("/cold")
        seen = self.commands(lambda: self.gateways[0].fetch("/cold"))
        self.assertEqual(self.kinds(seen), ["limit", "pttl", "get", "lock", "store", "release"])
        self.assertEqual(self.round_trips(seen), 2)

    def test_a_cold_miss_of_a_variant(self):
        self.say("/varies", FRESH + [("Vary", "Accept-Language")])
        self.commands(lambda: self.gateways[0].fetch("/varies", [("Accept-Language", "de")]))
        self.asked.clear()
        seen = self.commands(lambda: self.gateways[0].fetch("/varies", [("Accept-Language", "fr")]))
        # If the names are remembered, the variant is asked for together with the base.
        self.assertEqual(self.kinds(seen), ["limit", "pttl", "get", "pttl", "get", "lock", "store", "release"])
        self.assertEqual(self.round_trips(seen), 2)

    def test_a_hit_in_redis(self):
        self.say("/hit")
        self.commands(lambda: self.gateways[0].fetch("/hit"))
        seen = self.commands(lambda: self.gateways[1].fetch("/hit"), until="get")
        self.assertEqual(self.kinds(seen), ["limit", "pttl", "get"])
        self.assertEqual(self.origin.count("/hit"), 1)

    def test_a_validated_answer_crosses_once(self):
        self.say("/stale", FRESH + [("Age", "61")])
        self.commands(lambda: self.gateways[0].fetch("/stale"))
        self.asked.clear()
        seen = self.commands(lambda: self.assertEqual(self.gateways[1].fetch("/stale").field("X-Cache"), "REVALIDATED"))
        self.assertEqual(self.kinds(seen), ["limit", "pttl", "get", "lock", "store", "release"])
        self.assertEqual(self.round_trips(seen), 2)

    def test_an_instance_that_waits_for_another_reads_nothing_meanwhile(self):
        gate = threading.Event()
        self.origin.on("/awaited", lambda call: (call.wait(gate), call.respond(fields=FRESH, body=BODY)))

        seen = self.kinds(self.commands(lambda: self.ask_many("/awaited", gate, 3, lambda: self.kinds(self.tap.seen).count("lock") > 12)))
        self.assertEqual(self.origin.count("/awaited"), 1)
        self.assertEqual(seen.count("get"), 5, "three looked before, and two when something was there")
        self.assertEqual(seen.count("store"), 1)

    def test_a_herd_of_a_hundred(self):
        gate = threading.Event()
        self.origin.on("/herd", lambda call: (call.wait(gate), call.respond(fields=FRESH, body=BODY)))

        def all_are_there():
            return sum(gateway.metric_sum("gateway_requests_in_flight") - 1 for gateway in self.gateways) >= 99
        seen = self.kinds(self.commands(lambda: self.ask_many("/herd", gate, 99, all_are_there)))
        self.assertEqual(self.origin.count("/herd"), 1)
        self.assertEqual(seen.count("store"), 1)
        self.assertLessEqual(seen.count("get"), 99 + 3, "each looked once, and a leader of each instance perhaps once more")


class InAProcess(Tapped):
    FLIGHT = "process"

    def test_a_cold_miss(self):
        self.say("/cold")
        seen = self.commands(lambda: self.gateways[0].fetch("/cold"), until="store")
        self.assertEqual(self.kinds(seen), ["limit", "pttl", "get", "store"])
        self.assertEqual(self.round_trips(seen), 1)


if __name__ == "__main__":
    main()
