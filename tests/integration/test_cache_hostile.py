"""Backends and clients that try to make the cache give an answer that it must not give, each tried with real bytes."""
import threading

from redis_stage import RedisServer
from stage import Scene, Stage, main, wait_until

TAGGED = [("ETag", '"1"')]
STALE_SOON = TAGGED + [("Cache-Control", "max-age=0, stale-while-revalidate=60, stale-if-error=60")]


class Hostile(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin, cls.redis = stage.origin(), RedisServer()
        stage.actors.append(cls.redis)
        cache = {"enabled": True, "ignore_query": ["utm_*"]}
        routes = [{"name": "writes", "methods": ["POST"], "cache": False}]
        shared = {"cache": cache, "routes": routes, "redis": {"url": cls.redis.url}}
        bounds = {"server": {"max_header_bytes": "1KiB"}, "backend": {"max_response_header_bytes": "1KiB"}}
        cls.alone, cls.one = stage.gateway(cls.origin, {"cache": cache, "routes": routes}), stage.gateway(cls.origin, shared)
        cls.narrow = stage.gateway(cls.origin, {**shared, **bounds})
        cls.behind = stage.gateway(cls.origin, {"cache": cache, "server": {"trusted_proxies": ["127.0.0.1"]}})

    def for_each(self):
        for gateway in (self.alone, self.one):
            yield "/%s-%s" % (self.id().rpartition(".")[2], gateway.name), gateway

    def test_a_304_of_a_refresh_that_forbids_storing_ends_what_is_stored(self):
        for path, gateway in self.for_each():
            def say(call):
                if call.request.has("If-None-Match"):
                    call.respond(304, TAGGED + [("Cache-Control", "private")])
                else:
                    call.respond(fields=STALE_SOON if call.number == 1 else [("Cache-Control", "no-store")], body=b"%d" % call.number)
            self.origin.on(path, say)
            self.assertEqual(gateway.fetch(path).body, b"1")
            self.assertEqual(gateway.fetch(path).field("X-Cache"), "STALE")
            wait_until(lambda: gateway.fetch(path).body != b"1", "no client gets the first any more")

    def test_updates_do_not_grow_a_head_past_its_bound(self):
        for path, gateway in self.for_each():
            def say(call):
                more = [("X-%d-%d" % (call.number, number), "x" * 300) for number in range(100)]
                fields = TAGGED + [("Cache-Control", "max-age=0")] + more
                call.respond(**({"status": 304, "fields": fields} if call.request.has("If-None-Match") else {"fields": fields, "body": b"whole"}))
            self.origin.on(path, say)
            for _ in range(6):
                response = gateway.fetch(path)
                self.assertEqual((response.status, response.body), (200, b"whole"))
                self.assertLess(len(response.raw), 70000)

    def test_a_head_that_another_instance_takes_is_none_of_this_one(self):
        self.origin.on("/large", fields=[("Cache-Control", "max-age=60"), ("X-Large", "x" * 30000)], body=b"large")
        self.assertEqual([self.one.fetch("/large").field("X-Cache") for _ in range(2)], ["MISS", "HIT"])
        self.assert_error(self.narrow.fetch("/large"), 502)

    def test_an_unsafe_method_ends_what_another_route_has_stored(self):
        for path, gateway in self.for_each():
            self.origin.on(path, fields=[("Cache-Control", "max-age=60")])
            self.assertEqual([gateway.fetch(path).field("X-Cache") for _ in range(2)], ["MISS", "HIT"])
            self.assertEqual(gateway.fetch(path, method="POST", body=b"x").status, 200)
            self.assertEqual(gateway.fetch(path).field("X-Cache"), "MISS")

    def test_what_is_smuggled_through_a_trusted_peer_answers_no_other_client(self):
        self.origin.on("/side", lambda call: call.respond(body=b"evil" if b"evil" in call.request.raw else b"good"))
        for number, name in enumerate(("X-Forwarded-Host", "X-Forwarded-Path", "X-Forwarded-Protocol", "X-Forwarded-URI", "X-Original-URI",
                                       "X-Envoy-Original-Path", "X-URL-Scheme", "Front-End-Https", "X_Forwarded_Host", "X_Original_URL")):
            with self.subTest(name):
                self.behind.fetch("/side?%d" % number, [(name, "evil")])
                self.assertEqual(self.behind.fetch("/side?%d" % number).body, b"good")

    def test_a_refresh_for_a_request_with_an_empty_body_ends_by_its_time(self):
        for transport in ("h1", "curl"):
            with Stage() as stage:
                gateway = stage.gateway(self.origin, {"cache": {"enabled": True}, "backend": {"transport": transport, "response_timeout": "300ms"}})

                def say(call):
                    if 1 < call.number < 4:  # an attempt and its repetition
                        call.wait_for_close()
                    else:
                        call.respond(fields=STALE_SOON, body=b"%d" % call.number)
                self.origin.on("/silent-" + transport, say)
                self.assertEqual(gateway.fetch("/silent-" + transport).body, b"1")
                wait_until(lambda: gateway.fetch("/silent-" + transport, [("Content-Length", "0")]).body != b"1", "it is refreshed")

    def test_a_request_that_waits_for_a_failing_refresh_asks_the_backend_itself(self):
        for path, gateway in self.for_each():
            joined = threading.Event()

            def say(call):
                if call.number == 2:
                    call.wait(joined)
                call.respond(status=503 if call.number == 2 else 200, body=b"%d" % call.number,
                             fields=TAGGED + [("Cache-Control", "max-age=1, stale-while-revalidate=60")])
            self.origin.on(path, say)
            self.assertEqual(gateway.fetch(path).body, b"1")
            # if a refresh finds the last fetch's lock still held, it leaves the refresh to the next request
            wait_until(lambda: gateway.fetch(path).field("X-Cache") == "STALE" and self.origin.count(path) == 2, "it is stale, and being refreshed")
            with gateway.client() as client:
                client.ask("GET", path, [("Cache-Control", "max-stale=0")])
                wait_until(lambda: gateway.stats()["in_flight"] == 2, "it waits, beside this question")
                joined.set()
                self.assertEqual(client.read().body, b"3")

    def test_a_parameter_that_hides_another_is_not_ignored(self):
        for path, gateway in self.for_each():
            self.origin.on(path, lambda call: call.respond(fields=[("Cache-Control", "max-age=60")], body=call.request.target.encode()))
            gateway.fetch(path + "?utm_a=1;callback=evil")
            self.assertEqual(gateway.fetch(path).body, path.encode())
            self.assertEqual(gateway.fetch(path + "?utm_a=2").field("X-Cache"), "HIT")


if __name__ == "__main__":
    main()
