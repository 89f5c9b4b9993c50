"""Cross-origin requests, as the Fetch standard asks."""
from stage import Scene, Stage, main

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
        before = self.origin.count()
        for gateway in (self.anyone, self.named):
            answer = self.preflight(gateway, ORIGIN)
            self.assertIn(answer.status, (200, 204))
            self.assertEqual(answer.body, b"")
            self.assertIn("PUT", answer.field("Access-Control-Allow-Methods"))
            self.assertIn("x-one", answer.field("Access-Control-Allow-Headers").lower())
        self.assertEqual(self.origin.count(), before)

    def test_by_default_every_origin_may_read(self):
        self.assertEqual(self.preflight(self.anyone, ORIGIN).field("Access-Control-Allow-Origin"), "*")
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
        """Or a cache below would give the one without fields to a script that needs them."""
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
        """Else a script could not tell a 429 or 502 from a network that is down."""
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


if __name__ == "__main__":
    main()
