"""Cross-origin requests, as the Fetch standard asks."""
import threading

from redis_stage import RedisServer
from stage import Scene, Stage, main, wait_until

ORIGIN = "https://app.example.org"


class Cors(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.anyone = stage.gateway(cls.origin)
        cls.named = stage.gateway(cls.origin, {"cache": {"enabled": True}, "cors": {"origins": [ORIGIN, "http://localhost:3000"], "credentials": True, "methods": ["GET", "PUT"],
                                               "headers": ["X-One", "X-Two"], "exposed_headers": ["X-Seen"], "max_age": "120s"}})
        cls.off = stage.gateway(cls.origin, {"cors": {"enabled": False}})

    def preflight(self, gateway, origin, method="PUT", headers="X-One"):
        return gateway.fetch("/cors", [("Origin", origin), ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", headers)], "OPTIONS")

    def test_a_preflight_is_answered_by_the_gateway(self):
        for gateway, asked in ((self.anyone, 1), (self.named, 0)):  # without cors.origins only if the backend sent no CORS fields
            before = self.origin.count()
            answer = self.preflight(gateway, ORIGIN)
            self.assertIn(answer.status, (200, 204))
            self.assertEqual(answer.body, b"")
            self.assertIn("PUT", answer.field("Access-Control-Allow-Methods"))
            self.assertIn("x-one", answer.field("Access-Control-Allow-Headers").lower())
            self.assertEqual(self.origin.count(), before + asked)

    def test_by_default_every_origin_may_read(self):
        preflight = self.preflight(self.anyone, ORIGIN)
        self.assertEqual(preflight.field("Access-Control-Allow-Origin"), "*")
        self.assertFalse(preflight.has("Access-Control-Expose-Headers"))  # these fields are for the answer that scripts read
        answer = self.anyone.fetch("/cors", [("Origin", ORIGIN)])
        self.assertEqual(answer.field("Access-Control-Allow-Origin"), "*")
        self.assertIn("X-Cache", answer.field("Access-Control-Expose-Headers"))
        self.assertFalse(answer.has("Access-Control-Allow-Credentials"))

    def test_named_origins_may_read_with_credentials(self):
        for origin in (ORIGIN, "http://localhost:3000"):
            answer = self.preflight(self.named, origin)
            self.assertEqual(answer.field("Access-Control-Allow-Origin"), origin)
            self.assertEqual(answer.field("Access-Control-Allow-Credentials"), "true")
            self.assertEqual(answer.field("Access-Control-Max-Age"), "120")
            self.assertIn("Origin", answer.field("Vary"))
            answer = self.named.fetch("/cors", [("Origin", origin)])
            self.assertEqual(answer.field("Access-Control-Allow-Origin"), origin)
            self.assertEqual(answer.field("Access-Control-Allow-Credentials"), "true")
            self.assertEqual(answer.field("Access-Control-Expose-Headers"), "X-Seen")
            self.assertIn("Origin", ", ".join(answer.all("Vary")))

    def test_other_origins_may_not(self):
        for origin in ("https://evil.example.org", "https://app.example.org.evil.test", "http://app.example.org", "null", "https://app.example.org:444"):
            with self.subTest(origin):
                for answer in (self.preflight(self.named, origin), self.named.fetch("/cors", [("Origin", origin)])):
                    self.assertFalse(answer.has("Access-Control-Allow-Origin"))
                    self.assertFalse(answer.has("Access-Control-Allow-Credentials"))

    def test_answers_differ_by_origin_also_where_none_was_sent(self):
        """Otherwise a cache below could give the answer without fields to a script that needs them."""
        self.assertIn("Origin", ", ".join(self.named.fetch("/cors").all("Vary")))

    def test_a_hit_carries_the_fields_of_its_own_request(self):
        for origin, allowed in ((ORIGIN, ORIGIN), ("http://localhost:3000", "http://localhost:3000"), ("https://evil.test", None)):
            answer = self.named.fetch("/cors-hit", [("Origin", origin)])
            self.assertEqual(answer.field("Access-Control-Allow-Origin"), allowed)
        self.assertEqual(self.origin.count("/cors-hit"), 1)

    def test_a_backends_own_fields_do_not_double(self):
        self.origin.on("/theirs", fields=[("Access-Control-Allow-Origin", "*"), ("Vary", "Accept")])
        answer = self.named.fetch("/theirs", [("Origin", ORIGIN)])
        self.assertEqual(answer.all("Access-Control-Allow-Origin"), [ORIGIN])
        vary = ", ".join(answer.all("Vary"))
        self.assertIn("Accept", vary)
        self.assertIn("Origin", vary)

    def test_errors_of_the_gateway_carry_them_too(self):
        """Otherwise a script could not tell a 429 or 502 from a network that is down."""
        with Stage() as stage:
            gateway = stage.gateway("http://127.0.0.1:1", {"limits": {"enabled": True, "rate": "1/h", "burst": 1}})
            for status in (502, 429):
                answer = gateway.fetch("/", [("Origin", ORIGIN)])
                self.assertEqual((answer.status, answer.field("Access-Control-Allow-Origin")), (status, "*"))

    def test_options_without_asking_for_a_method_is_no_preflight(self):
        before = self.origin.count("/options")
        self.anyone.fetch("/options", [("Origin", ORIGIN)], "OPTIONS")
        self.assertEqual(self.origin.count("/options"), before + 1)

    def test_can_be_left_to_the_backend(self):
        self.origin.on("/cors-off", fields=[("Access-Control-Allow-Origin", "theirs")])
        answer = self.off.fetch("/cors-off", [("Origin", ORIGIN), ("Access-Control-Request-Method", "PUT")], "OPTIONS")
        self.assertEqual(answer.all("Access-Control-Allow-Origin"), ["theirs"])

    def test_fields_are_whole_however_many_there_are(self):
        """64 long names, methods and origins, the most policies, and a long Origin: the strict reader refuses a line that is cut."""
        names = ["X-%02d-%s" % (i, "n" * 120) for i in range(64)]
        methods = ["M%02d%s" % (i, "M" * 100) for i in range(63)] + ["GET"]
        policies = [{"name": "p%d%s" % (i, "x" * 30), "rate": "1000000/s", "burst": 1000000} for i in range(7)]
        origin = "https://%s.example.org" % ("a" * 60)
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"cors": {"exposed_headers": names, "headers": names, "methods": methods, "origins": [origin]},
                                                  "limits": {"enabled": True, "policies": policies}, "cache": {"enabled": True, "status_key": True}})
            self.origin.on("/large", fields=[("Cache-Control", "max-age=60")] + [("X-Filler-%d" % i, "f" * 1000) for i in range(50)])
            for _ in range(2):  # from the backend, and from the cache
                answer = gateway.fetch("/large", [("Origin", origin)])
                self.assertEqual((answer.status, answer.field("Access-Control-Expose-Headers")), (200, ", ".join(names)))
                self.assertEqual(answer.field("Access-Control-Allow-Origin"), origin)
                self.assertEqual(len(answer.field("RateLimit").split(",")), 8)
            self.assertEqual((answer.field("X-Cache"), answer.field("Age")), ("HIT", answer.field("X-Cache-Age")))
            preflight = self.preflight(gateway, origin)
            self.assertEqual(preflight.field("Access-Control-Allow-Methods"), ", ".join(methods))
            self.assertEqual(preflight.field("Access-Control-Allow-Headers"), ", ".join(names))


def cors_of(answer):
    return sorted((name.lower(), value) for name, value in answer.fields if name.lower().startswith("access-control-"))


class BackendsFirst(Scene):
    """cors.origins is not set: a backend's own CORS fields stay, and the gateway adds fields only if the backend sends none."""
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"cache": {"enabled": True}})
        cls.alone = stage.gateway(cls.origin, {"cors": {"origins": ["*"]}})
        redis = RedisServer()
        stage.actors.append(redis)
        cls.shared = stage.gateway(cls.origin, {"cache": {"enabled": True, "near_bytes": 0}, "redis": {"url": redis.url, "timeout": "5s"}})
        wait_until(lambda: cls.shared.fetch("/gateway/health").json()["redis"] == "up", "Redis is reached")

    def preflight(self, target, gateway=None, **more):
        fields = [("Origin", ORIGIN), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "X-One")]
        return (gateway or self.gateway).fetch(target, fields, "OPTIONS", **more)

    def test_an_answer_that_speaks_is_left_alone(self):
        theirs = [("Access-Control-Allow-Origin", ORIGIN), ("Access-Control-Allow-Credentials", "true"), ("Access-Control-Expose-Headers", "X-Theirs"),
                  ("Access-Control-Allow-Private-Network", "true"), ("Vary", "Origin")]
        self.origin.on("/theirs", fields=theirs)
        answer = self.gateway.fetch("/theirs", [("Origin", ORIGIN)])
        self.assertEqual(cors_of(answer), sorted((name.lower(), value) for name, value in theirs if name != "Vary"))
        self.assertEqual(answer.all("Vary"), ["Origin"])
        self.assertEqual(cors_of(self.alone.fetch("/theirs", [("Origin", ORIGIN)]))[0], ("access-control-allow-origin", "*"))
        self.assertNotIn("X-Theirs", str(cors_of(self.alone.fetch("/theirs", [("Origin", ORIGIN)]))))
        self.assertFalse(self.alone.fetch("/theirs", [("Origin", ORIGIN)]).has("Access-Control-Allow-Private-Network"))

    def test_a_refusal_that_says_something_of_cors_stays_one(self):
        for fields in ([("Access-Control-Allow-Credentials", "true")], [("Vary", "Accept, origin")], [("access-control-expose-headers", "X")]):
            with self.subTest(fields):
                self.origin.on("/refused", fields=fields + [("Cache-Control", "no-store")])
                self.assertFalse(self.gateway.fetch("/refused", [("Origin", ORIGIN)]).has("Access-Control-Allow-Origin"))

    def test_an_answer_that_names_one_origin_without_vary_gets_one(self):
        self.origin.on("/unvaried", fields=[("Access-Control-Allow-Origin", ORIGIN), ("Cache-Control", "no-store")])
        self.assertEqual(self.gateway.fetch("/unvaried", [("Origin", ORIGIN)]).all("Vary"), ["Origin"])
        self.origin.on("/for-all", fields=[("Access-Control-Allow-Origin", "*"), ("Cache-Control", "no-store")])
        self.assertEqual(self.gateway.fetch("/for-all", [("Origin", ORIGIN)]).all("Vary"), [])

    def test_a_preflight_that_the_backend_answers_is_left_alone(self):
        for status, fields in ((200, [("Access-Control-Allow-Origin", ORIGIN), ("Access-Control-Allow-Methods", "PUT"), ("Access-Control-Max-Age", "7")]),
                               (400, [("Access-Control-Allow-Methods", "GET"), ("Access-Control-Max-Age", "600"), ("Vary", "Origin")]),  # Starlette
                               (403, [("Vary", "Origin"), ("Vary", "Access-Control-Request-Method")]),  # Spring
                               (200, [("vary", "origin")])):  # Django
            with self.subTest(status=status, fields=fields):
                self.origin.on("/asked", status=status, fields=fields, body=b"theirs")
                answer = self.preflight("/asked")
                self.assertEqual((answer.status, answer.body), (status, b"theirs"))
                self.assertEqual(cors_of(answer), sorted((name.lower(), value) for name, value in fields if name.lower() != "vary"))

    def test_a_preflight_that_the_backend_says_nothing_to_is_answered_here(self):
        before = len(self.origin.connections)
        for status, max_age in ((200, "600"), (204, "600"), (307, "600"), (400, "600"), (401, "600"), (404, "600"), (405, "600"), (501, "600"),
                                (429, "0"), (500, "0"), (503, "0")):
            with self.subTest(status), self.gateway.client() as client:
                self.origin.on("/silent", status=status, fields=[("Allow", "GET"), ("Set-Cookie", "a=b")], body=b"" if status == 204 else b"x" * 3000)
                for _ in range(2):  # over the same connections
                    client.ask("OPTIONS", "/silent", [("Origin", ORIGIN), ("Access-Control-Request-Method", "PUT")])
                    answer = client.read()
                    self.assertEqual((answer.status, answer.body, answer.field("Access-Control-Allow-Origin")), (204, b"", "*"))
                    self.assertEqual(answer.field("Access-Control-Max-Age"), max_age)
                    self.assertFalse(answer.has("Set-Cookie") or answer.has("Allow") or answer.has("Content-Length"))
        self.assertLessEqual(len(self.origin.connections) - before, 3)

    def test_what_is_dropped_of_a_backends_answer_may_break_off(self):
        def say(call):
            call.send(b"HTTP/1.1 405 X\r\nContent-Length: 100\r\n\r\n")
            self.is_answered.wait(10)
            call.close()
        self.is_answered = threading.Event()
        self.origin.on("/broken", say)
        with self.gateway.client() as client:
            client.ask("OPTIONS", "/broken", [("Origin", ORIGIN), ("Access-Control-Request-Method", "PUT")])
            self.assertEqual(client.read().status, 204)
            self.is_answered.set()
            self.assertEqual(client.get("/after").body, b"origin")

    def test_a_preflight_meets_a_backend_that_is_down(self):
        """The script must be able to read the 502 that its own request gets; no client may remember anything of it."""
        with Stage() as stage:
            answer = self.preflight("/", stage.gateway("http://127.0.0.1:1"))
            self.assertEqual((answer.status, answer.field("Access-Control-Allow-Origin"), answer.field("Access-Control-Max-Age")), (204, "*", "0"))

    def test_a_preflight_asks_the_backend_that_will_get_the_request(self):
        with Stage() as stage:
            other = stage.origin()
            other.on("/x", fields=[("Access-Control-Allow-Origin", ORIGIN)])
            gateway = stage.gateway(self.origin, {"routes": [{"name": "puts", "methods": ["PUT"], "backend": other.url}]})
            self.assertEqual(self.preflight("/x", gateway).field("Access-Control-Allow-Origin"), ORIGIN)

    def test_a_route_for_options_itself_gets_the_preflights(self):
        with Stage() as stage:
            other = stage.origin()
            other.on("/x", fields=[("Access-Control-Allow-Origin", ORIGIN)])
            gateway = stage.gateway(self.origin, {"routes": [{"name": "preflights", "methods": ["OPTIONS"], "backend": other.url}]})
            self.assertEqual(self.preflight("/x", gateway).field("Access-Control-Allow-Origin"), ORIGIN)

    def test_a_preflight_that_reaches_a_backend_is_counted_and_not_stored(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"limits": {"enabled": True, "rate": "1/h", "burst": 2}, "cache": {"enabled": True}})
            before = self.origin.count("/counted")
            self.assertEqual([self.preflight("/counted", gateway).status for _ in range(3)], [204, 204, 429])
            self.assertEqual(self.origin.count("/counted"), before + 2)

    def test_what_is_stored_for_one_origin_is_not_for_another(self):
        other = "https://other.example.org"

        def say(call):
            asked = call.request.field("Origin")
            call.respond(fields=[("Cache-Control", "max-age=60")] + ([("Access-Control-Allow-Origin", asked)] if asked == ORIGIN else []))
        self.origin.on("/careless", say)  # no Vary
        for gateway, first in ((gateway, first) for gateway in (self.gateway, self.shared) for first in (None, other, ORIGIN)):
            with self.subTest(first, shared=gateway is self.shared):
                target, before = "/careless?%s" % first, self.origin.count("/careless")
                for origin in (first, ORIGIN, other, None, ORIGIN, other, None):
                    answer = gateway.fetch(target, [("Origin", origin)] if origin else [])
                    self.assertEqual(answer.field("Access-Control-Allow-Origin"), ORIGIN if origin == ORIGIN else "*" if origin else None)
                # in Redis the first variant replaces the single answer that was there
                self.assertEqual(self.origin.count("/careless"), before + 3 + (gateway is self.shared and first is None))

    def test_with_origins_of_its_own_the_gateway_shares_what_is_stored(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"cache": {"enabled": True}, "cors": {"origins": ["*"]}})
            self.origin.on("/shared", fields=[("Cache-Control", "max-age=60")])
            labels = [gateway.fetch("/shared", [("Origin", origin)]).field("X-Cache") for origin in (ORIGIN, "https://other.example.org")]
            self.assertEqual(labels, ["MISS", "HIT"])


class StarlettesMiddleware(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.gateway = stage.gateway(stage.example("tests/support/cors_app.py", CORS_ORIGIN=ORIGIN), {"cache": {"enabled": True}})

    def test_speaks_for_itself(self):
        evil = "https://evil.example.org"
        for origin, status, allowed in ((ORIGIN, 200, ORIGIN), (evil, 400, None)):
            with self.subTest(origin):
                answer = self.gateway.fetch("/json", [("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")],
                                            "OPTIONS")
                self.assertEqual((answer.status, answer.field("Access-Control-Allow-Origin")), (status, allowed))
                answer = self.gateway.fetch("/me", [("Origin", origin), ("Cookie", "who=bob")])
                self.assertEqual((answer.status, answer.field("Access-Control-Allow-Origin"), answer.json()), (200, allowed, "bob"))
                self.assertEqual(answer.all("Access-Control-Expose-Headers"), ["X-Theirs"])

    def test_is_stored_for_each_origin(self):
        for label in ("MISS", "HIT"):
            for origin, allowed in ((None, None), ("https://evil.example.org", None), (ORIGIN, ORIGIN)):
                answer = self.gateway.fetch("/stored", [("Origin", origin)] if origin else [])
                self.assertEqual((answer.field("X-Cache"), answer.field("Access-Control-Allow-Origin")), (label, allowed))


if __name__ == "__main__":
    main()
