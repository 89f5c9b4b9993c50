"""A thousand clients and one cold key over three instances: the backend is asked once, and every client gets its answer."""
import os
import signal
import threading

from redis_stage import RedisServer
from reload import NO_CACHE, Reloads
from stage import PATIENCE, Scene, main, wait_until

FRESH = [("Cache-Control", "max-age=60")]
# Redis' answers may come late on a busy machine; no test here is about that timeout.
REDIS = {"timeout": "5s"}


def config(redis, flight_wait=PATIENCE, **cache):
    return {"redis": dict(REDIS, url=redis.url), "cache": dict({"enabled": True, "flight_wait": "%ds" % flight_wait}, **cache),
            "server": {"workers": 2}}


class Herd(Scene):
    """An origin behind a gate, and clients that ask before it opens."""
    FLIGHT_WAIT = PATIENCE
    CACHE = {}

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        cls.gateways = [stage.gateway(cls.origin, config(cls.redis, cls.FLIGHT_WAIT, **cls.CACHE)).wait_for_tracking() for _ in range(3)]

    def gated(self, path, **said):
        gate = threading.Event()

        def say(call):
            call.wait(gate)
            call.respond(**said)
        self.origin.on(path, say)
        return gate

    def is_stored(self, path):
        """The URL was asked for once, and its answer is in Redis: the client's answer does not wait for that."""
        self.assertEqual(self.gateways[0].fetch(path).status, 200)
        wait_until(lambda: [key for key in self.redis.cli("KEYS", "gw:cache:*") if path.encode() in (self.redis.cli("GET", key) or b"")], path + " is stored")

    def ask_all(self, count, path, fields=(), gateways=None):
        """So many clients, in turn at each gateway, each with its request sent."""
        clients = []
        for number in range(count):
            among = gateways or self.gateways
            client = among[number % len(among)].client()
            self.addCleanup(client.close)
            client.ask(target=path, fields=fields)
            clients.append(client)
        return clients

    def wait_for(self, count, gateways=None):
        wait_until(lambda: sum(gateway.metric_sum("gateway_requests_in_flight") - 1 for gateway in gateways or self.gateways) >= count - 6,
                   "%d requests are in flight" % count)

    def assert_no_request_waits(self, path):
        """A no-cache answer is stored, but the backend must be asked each time: a request that waited would have to ask all the same."""
        gate = threading.Event()

        def say(call):
            call.wait(gate)
            if call.request.has("If-None-Match"):
                call.respond(304, [("Cache-Control", "no-cache"), ("ETag", '"1"')])
            else:
                call.respond(fields=[("Cache-Control", "no-cache"), ("ETag", '"1"')], body=b"validated")
        self.origin.on(path, say)
        clients = self.ask_all(12, path)
        self.wait_for(12)
        gate.set()
        self.assertEqual({(answer.status, answer.body) for answer in (client.read() for client in clients)}, {(200, b"validated")})
        gate.clear()
        for gateway in self.gateways:
            before = self.origin.count(path)
            clients = self.ask_all(8, path, gateways=[gateway])
            wait_until(lambda: self.origin.count(path) == before + 8, "each asks, while no answer has come")
            gate.set()
            self.assertEqual({(answer.status, answer.body) for answer in (client.read() for client in clients)}, {(200, b"validated")})
            gate.clear()


class OnOneKey(Herd):
    def test_a_thousand_clients_at_three_instances_make_one_request(self):
        gate = self.gated("/cold", fields=FRESH, body=b"x" * 1000)
        clients = self.ask_all(1000, "/cold")
        self.wait_for(1000)
        gate.set()
        answers = [client.read() for client in clients]
        self.assertEqual({(answer.status, answer.body) for answer in answers}, {(200, b"x" * 1000)})
        self.assertEqual(self.origin.count("/cold"), 1)

    def counted(self):
        names = {"hits": ("requests_total", {"result": "hit"}), "misses": ("requests_total", {"result": "miss"}), "found": ("hits_total", {}),
                 "shared": ("collapsed_total", {}), "awaited": ("collapsed_instances_total", {}), "saved": ("saved_bytes_total", {}), "stored": ("stored_total", {})}
        return {name: sum(gateway.metric_sum("gateway_cache_" + family, **labels) for gateway in self.gateways)
                for name, (family, labels) in names.items()}

    def test_each_of_them_is_counted_once(self):
        before = self.counted()
        gate = self.gated("/counted", fields=FRESH, body=b"x" * 1000)
        clients = self.ask_all(60, "/counted")
        self.wait_for(60)
        gate.set()
        hits = sum(client.read().field("X-Cache") == "HIT" for client in clients)

        def told():
            change = {name: value - before[name] for name, value in self.counted().items()}
            return change if change["hits"] + change["misses"] == 60 else None
        told = wait_until(told, "all are counted")
        self.assertEqual((told["hits"], told["found"], told["saved"], told["stored"]), (hits, hits, 59 * 1000, 1), told)
        self.assertLessEqual(told["shared"] + told["awaited"], 59)
        self.assertGreater(told["awaited"], 0)
        self.assertGreaterEqual(told["shared"] + told["awaited"], 59 - 6, "but for those that came after it was stored")

    def test_a_request_with_a_credential_costs_the_others_no_herd(self):
        """An answer that says nothing about freshness is not shared with requests that carry Cookie; this must also hold if one of these
        came first."""
        gate = self.gated("/says-nothing", body=b"one for all")
        first = self.ask_all(1, "/says-nothing", [("Cookie", "user=0")])
        wait_until(lambda: self.origin.count("/says-nothing") == 1, "it leads")
        clients = self.ask_all(60, "/says-nothing")
        self.wait_for(61)
        gate.set()
        self.assertEqual({client.read().body for client in first + clients}, {b"one for all"})
        self.assertEqual(self.origin.count("/says-nothing"), 2)
        gate.clear()  # requests with one wait for no other
        clients = self.ask_all(12, "/says-nothing", [("Cookie", "user=1")])
        wait_until(lambda: self.origin.count("/says-nothing") == 14, "each asks")
        gate.set()
        for client in clients:
            client.read()
        for gateway in self.gateways:
            self.assertEqual(gateway.fetch("/says-nothing").field("X-Cache"), "HIT")

    def test_no_request_waits_for_an_answer_that_must_be_validated_each_time(self):
        self.assert_no_request_waits("/validated")

    def test_a_body_of_unknown_length_is_one_request_too(self):
        gate = self.gated("/pieces", fields=FRESH, body=[b"a" * 100, b"b" * 100], chunked=True)
        clients = self.ask_all(60, "/pieces")
        self.wait_for(60)
        gate.set()
        self.assertEqual({client.read().body for client in clients}, {b"a" * 100 + b"b" * 100})
        self.assertEqual(self.origin.count("/pieces"), 1)

    def test_what_is_stale_is_confirmed_once(self):
        state = {"gate": None}

        def say(call):
            if call.request.has("If-None-Match"):
                call.wait(state["gate"])
                call.respond(304, fields=FRESH + [("ETag", '"1"')])
            else:
                call.respond(fields=[("Cache-Control", "max-age=60"), ("Age", "60"), ("ETag", '"1"')], body=b"stored")
        self.origin.on("/stale", say)
        state["gate"] = threading.Event()
        self.is_stored("/stale")
        clients = self.ask_all(90, "/stale")
        self.wait_for(90)
        state["gate"].set()
        self.assertEqual({(client.read().body) for client in clients}, {b"stored"})
        self.assertEqual(self.origin.count("/stale"), 2)

    def test_a_stale_answer_is_refreshed_in_the_background_once(self):
        gate = threading.Event()

        def say(call):
            if call.number == 1:
                call.respond(fields=[("Cache-Control", "max-age=60, stale-while-revalidate=600"), ("Age", "61")], body=b"old")
            else:
                call.wait(gate)
                call.respond(fields=FRESH, body=b"new")
        self.origin.on("/swr", say)
        self.is_stored("/swr")
        clients = self.ask_all(60, "/swr")
        self.assertEqual({client.read().body for client in clients}, {b"old"})
        self.assertLessEqual(self.origin.count("/swr"), 2)
        gate.set()
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch("/swr").body == b"new", "the refreshed answer is served")
        self.assertEqual(self.origin.count("/swr"), 2)

    def test_no_request_waits_for_a_fetch_that_began_before_an_unsafe_method(self):
        gate, first = threading.Event(), threading.Event()

        def say(call):
            if call.request.method == "POST":
                call.respond(body=b"changed")
            elif call.number == 1:
                first.set()
                call.wait(gate)
                call.respond(fields=FRESH, body=b"before")
            else:
                call.respond(fields=FRESH, body=b"after")
        self.origin.on("/written", say)
        before, = self.ask_all(1, "/written", gateways=self.gateways[:1])
        self.assertTrue(first.wait(PATIENCE))
        self.assertEqual(self.gateways[1].fetch("/written", method="POST", body=b"").body, b"changed")
        for gateway in self.gateways[1:]:  # the first instance learns of it a moment later, and would join the fetch that it began
            self.assertEqual(gateway.fetch("/written").body, b"after")
        gate.set()
        self.assertEqual(before.read().body, b"before")
        self.assertEqual({gateway.fetch("/written").body for gateway in self.gateways}, {b"after"})

    def test_an_answer_that_may_not_be_shared_releases_the_others_and_is_remembered(self):
        gate = self.gated("/private", fields=[("Cache-Control", "private")], body=b"each his own")
        clients = self.ask_all(30, "/private")
        self.wait_for(30)
        gate.set()
        self.assertEqual({client.read().status for client in clients}, {200})
        self.assertEqual(self.origin.count("/private"), 30)
        # Remembered on every instance: no request waits for another. The origin answers none of them before all are there.
        many, there = threading.Barrier(9), []

        def together(call):
            there.append(many.wait(PATIENCE))
            call.respond(fields=[("Cache-Control", "private")])
        self.origin.on("/private", together)
        self.assertEqual({client.read().status for client in self.ask_all(9, "/private")}, {200})
        self.assertEqual(len(there), 9)


class WithASlowLeader(Herd):
    FLIGHT_WAIT = 1

    def test_the_others_wait_as_long_as_configured_and_ask_for_themselves(self):
        first = threading.Event()
        release = threading.Event()

        def say(call):
            if call.number == 1:
                first.set()
                call.wait(release)
            call.respond(fields=FRESH, body=b"%d" % call.number)
        self.origin.on("/slow", say)
        leader, = self.ask_all(1, "/slow", gateways=self.gateways[:1])
        self.assertTrue(first.wait(PATIENCE))
        others = self.ask_all(2, "/slow", gateways=self.gateways[1:])
        for client in others:
            self.assertEqual(client.read().status, 200)
        release.set()
        self.assertEqual(leader.read().body, b"1")


class WithADyingLeader(Herd):
    def test_no_request_is_stranded(self):
        first = threading.Event()
        release = threading.Event()

        def say(call):
            if call.number == 1:
                first.set()
                call.wait(release)
                call.close()
            call.respond(fields=FRESH, body=b"by another")
        self.origin.on("/killed", say)
        doomed = self.stage.gateway(self.origin, config(self.redis))
        doomed.wait_for_tracking()
        leader = doomed.client()
        self.addCleanup(leader.close)
        leader.ask(target="/killed")
        self.assertTrue(first.wait(PATIENCE))
        clients = self.ask_all(60, "/killed")
        self.wait_for(60)
        os.kill(doomed.process.pid, signal.SIGKILL)
        doomed.process.wait()
        self.stage.actors.remove(doomed)
        self.stage.gateways.remove(doomed)
        doomed.lease.release()
        self.assertEqual({client.read().body for client in clients}, {b"by another"})
        self.assertEqual(self.origin.count("/killed"), 2)
        release.set()


class OfReloads(Reloads, Scene):
    """No-cache requests at two instances of two workers, and one Redis."""

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        # Longer than a test waits: the awaited events must come by another way.
        cls.gateways = [stage.gateway(cls.origin, config(cls.redis, 2 * PATIENCE)).wait_for_tracking() for _ in range(2)]

    def all_wait(self, count):
        """Waits for a fetch of the same process, and no longer for Redis."""
        wait_until(lambda: self.in_flight() >= count and not sum(gateway.metric_sum("gateway_redis_pending") for gateway in self.gateways),
                   "%d requests are in flight" % count)

    def reload_both(self, count, path, among=None):
        """Half of them at each instance; a field tells the backend which one."""
        clients = []
        for number, gateway in enumerate(self.gateways):
            clients += self.reload(count // 2, path, NO_CACHE + [("X-Instance", str(number))], among=0, gateway=gateway)
        self.all_wait(among or count)
        return clients

    def stored(self, path):
        """Stores an answer. Then waits until each instance has heard of that: what Redis tells of a key ends what runs for it, so a
        request that comes later makes one more. Redis tells of changes in their order, so this removes another stored answer and waits
        until no instance has that one in its memory any more."""
        self.gateways[0].fetch(path)
        mark = "/mark-of" + path
        self.timed(mark).set()

        def is_in_memory(gateway):
            hits = gateway.metric_sum("gateway_cache_hits_total", tier="near")
            gateway.fetch(mark)
            return gateway.metric_sum("gateway_cache_hits_total", tier="near") > hits
        for gateway in self.gateways:
            wait_until(lambda: is_in_memory(gateway), "the mark is in memory")
        for key in self.redis.cli("KEYS", "gw:cache:*"):
            if mark.encode() in (self.redis.cli("GET", key) or b""):
                self.redis.cli("DEL", key)
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch(mark).field("X-Number") != "1", "the mark has left its memory")

    def asked(self, path, before=0):
        """How often by each instance."""
        by = [request.field("X-Instance") for request in self.origin.seen(path)[before:]]
        return [by.count("0"), by.count("1")]

    def test_each_instance_makes_two_requests(self):
        for is_stored in (False, True):
            with self.subTest(is_stored=is_stored):
                path = "/reloaded/%s" % is_stored
                gate = self.timed(path)
                if is_stored:
                    gate.set()
                    self.stored(path)
                    gate.clear()
                clients = self.reload_both(90, path)
                gate.set()
                self.read_newer(clients)
                self.assertLessEqual(max(self.asked(path)), 2)

    def test_one_304_answers_all_of_an_instance(self):
        gate = self.timed("/confirmed", tag='"1"')
        gate.set()
        self.stored("/confirmed")
        wait_until(lambda: self.gateways[1].fetch("/confirmed").field("X-Cache") == "HIT", "it is in Redis")
        gate.clear()
        before = self.origin.count("/confirmed")
        clients = self.reload_both(60, "/confirmed")
        gate.set()
        self.assertEqual({(answer.status, answer.field("X-Cache")) for answer in self.read_newer(clients)}, {(200, "REVALIDATED")})
        self.assertLessEqual(max(self.asked("/confirmed", before)), 2)

    def test_what_may_not_be_shared_is_each_one_s_own(self):
        gate = self.timed("/private", fields=[("Cache-Control", "private")])
        clients = self.reload_both(30, "/private")
        gate.set()
        self.assertEqual(len({answer.field("X-Number") for answer in self.read_newer(clients)}), 30)

    def test_an_ordinary_herd_beside_them_is_one_request_more_at_most(self):
        gate = self.timed("/mixed")
        ordinary = self.reload(20, "/mixed", ())
        clients = self.reload_both(40, "/mixed", among=60)
        ordinary += self.reload(20, "/mixed", (), among=80)
        gate.set()
        self.assertEqual({client.read().status for _, client in ordinary}, {200})
        self.read_newer(clients)
        self.assertLessEqual(self.origin.count("/mixed"), 4)

    def test_a_failing_backend_leaves_what_is_stored(self):
        gate = self.timed("/failing")
        gate.set()
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch("/failing").field("X-Cache") == "HIT", "it is stored")
        gate.clear()
        self.timed("/failing", status=503, fields=[], gate=gate)
        clients = self.reload_both(10, "/failing")
        gate.set()
        self.assertEqual({client.read().status for _, client in clients}, {503})
        self.assertTrue([key for key in self.redis.cli("KEYS", "gw:cache:*") if b"/failing" in (self.redis.cli("GET", key) or b"")], "it is in Redis")
        self.assertEqual({gateway.fetch("/failing").field("X-Cache") for gateway in self.gateways}, {"HIT"})

    def test_the_fetch_lock_of_another_instance_is_not_waited_for(self):
        """Its fetch began before this request came."""
        gate = self.timed("/leased")
        first, = self.reload(1, "/leased", (), among=0, gateway=self.gateways[0])
        wait_until(lambda: self.origin.count("/leased") == 1, "the first instance asks")
        clients = self.reload(1, "/leased", among=0, gateway=self.gateways[1])
        wait_until(lambda: self.origin.count("/leased") == 2, "the other asks, too")
        gate.set()
        self.read_newer(clients)
        self.assertEqual(first[1].read().status, 200)

    def test_no_client_gets_an_older_answer(self):
        self.reload_at_random(rounds=60)


class WithoutMarks(Herd):
    """cache.hit_for_miss 0: only a stored answer tells requests not to wait."""
    CACHE = {"hit_for_miss": "0s"}

    def test_no_request_waits_for_an_answer_that_must_be_validated_each_time(self):
        self.assert_no_request_waits("/validated")


if __name__ == "__main__":
    main()
