"""Token buckets as clients see them (LIMITS): exact over all workers, reported in every limited answer."""
import math
import re
import time

from stage import Scene, Stage, in_parallel, main

TRUSTED = "127.0.0.2"


def limits(rate, burst, workers=1, server=(), **more):
    return {"server": dict({"workers": workers, "trusted_proxies": [TRUSTED]}, **dict(server)), "limits": dict({"enabled": True, "rate": rate, "burst": burst}, **more)}


def statuses(gateway, count, target="/", fields=(), source=None):
    with gateway.client(source=source) as client:
        return [client.get(target, fields).status for _ in range(count)]


class Limits(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()

    def test_25_quick_requests_are_twenty_odd_200s_and_then_429s(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"limits": {"enabled": True}})  # the defaults: 10/s, burst 20
            began = time.monotonic()
            with gateway.client() as client:
                answers = [client.get("/") for _ in range(25)]
                took = time.monotonic() - began
                allowed = [answer for answer in answers if answer.status == 200]
                refused = [answer for answer in answers if answer.status == 429]
                self.assertEqual(len(allowed) + len(refused), 25)
                self.assertGreaterEqual(len(allowed), 20)
                self.assertLessEqual(len(allowed), 20 + math.floor(10 * took) + 1)
                self.assertEqual(answers[0].field("RateLimit-Policy"), '"default";q=20;w=2')
                if refused:
                    self.assertEqual(refused[-1].field("Retry-After"), "1")
                    time.sleep(1)  # the promise of Retry-After
                    self.assertEqual(client.get("/").status, 200)

    def test_are_exact_over_workers(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 20, workers=2))
            before = self.origin.count("/exact")

            def ask(_):
                with gateway.client() as client:
                    return [client.get("/exact").status for _ in range(5)]
            answers = [status for client in in_parallel(40, ask) for status in client]
            self.assertEqual((answers.count(200), answers.count(429)), (20, 180))
            self.assertEqual(self.origin.count("/exact") - before, 20)

    def test_for_a_path_hold_in_any_spelling(self):
        """A backend decodes the path: if the backend reads it as /login, the limit does, too."""
        policies = [{"name": "login", "path": "/login", "rate": "1/h", "burst": 1}, {"name": "cafe", "path": "/caf%C3%A9", "rate": "1/h", "burst": 1}]
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"limits": {"enabled": True, "policies": policies}})
            self.assertEqual(gateway.fetch("/login").status, 200)
            for target in ("/login", "/%6Cogin", "/log%69n", "//login", "/./login", "/x/../login", "/x/%2e%2E/login", "/x%2f..%2Flogin", "/login/x", "/login%2Fx", "/%6cogin?x=1", "/login%0A", "/%6Cogin%0a%0d", "/login%00.html"):
                with self.subTest(target):
                    self.assertEqual(gateway.fetch(target).status, 429)
            self.assertEqual([gateway.fetch(target).status for target in ("/caf%c3%a9", "/caf%C3%A9", "/other", "/loginx", "/%6Coginx")], [200, 429, 200, 200, 200])

    def test_for_a_path_hold_whether_or_not_the_backend_resolves_dot_segments(self):
        """uvicorn does not resolve paths: for FastAPI, /search/.. is /search/{q} with q = "..", and /search/..%2Fx is /search/{q:path}."""
        config = {"limits": {"enabled": True, "policies": [{"name": "search", "path": "/search", "rate": "1/h", "burst": 1}]},
                  "routes": [{"name": "private", "path": "/private", "cache": False}],
                  "cache": {"enabled": True, "bypass_paths": ["/live"]}}
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), config)
            self.assertEqual([gateway.fetch(target).status for target in ("/search/a", "/search/..", "/search/..%2Fx", "/search/%2e%2E/x", "/x/../search")], [200, 429, 429, 429, 429])
            for target in ("/private/..", "/private/..%2Fx", "/x/..%2Fprivate/y"):
                self.assert_error(gateway.fetch(target), 400, "malformed_request")
            for target in ("/live/a", "/live/..%2Fx", "/x/%2E./live"):
                self.assertEqual(gateway.fetch(target).field("X-Cache"), "BYPASS")
            self.assertEqual([gateway.fetch(target).status for target in ("/private/a/../b", "/a/./b", "/a//b")], [200, 200, 200])

    def test_for_a_path_are_not_gone_around_by_the_path_of_the_backend_s_url(self):
        """Behind http://backend/v1, a backend that resolves paths would read /../v1/login as /login, and /../admin would be outside /v1."""
        policies = [{"name": "login", "path": "/login", "rate": "1/h", "burst": 1}]
        with Stage() as stage:
            origin = stage.origin()
            gateway = stage.gateway(origin.url + "/v1", {"limits": {"enabled": True, "policies": policies}})
            self.assertEqual([gateway.fetch("/login").status, gateway.fetch("/login").status], [200, 429])
            for target in ("/../v1/login", "/%2E%2e/v1/login", "/..%2Fv1/login", "/login/../../v1/login", "/a/..//../admin", "/..", "http://gateway.test/../v1/login"):
                with self.subTest(target):
                    self.assert_error(gateway.fetch(target), 400, "malformed_request")
            self.assertEqual(gateway.fetch("/a/../other").status, 200)
            self.assertEqual([request.target for request in origin.requests], ["/v1/login", "/v1/a/../other"])

    def test_for_a_method_hold_in_any_case(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 1000, policies=[{"name": "writes", "methods": ["POST"], "rate": "1/h", "burst": 2}]))
            asked = [gateway.fetch("/any-case", method=method).status for method in ("post", "Post", "GET", "BREW", "POST", "pOST")]
            self.assertEqual(asked, [200, 200, 200, 200, 429, 429])

    def test_are_told_in_every_answer(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 3))
            with gateway.client() as client:
                for left in (2, 1, 0):
                    answer = client.get("/")
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(answer.field("RateLimit-Policy"), '"default";q=3;w=10800')
                    # t = ceil(r / rate), and for r = 0 the wait for one token
                    name, remaining, seconds = re.match(r'"([^"]*)";r=(\d+);t=(\d+)$', answer.field("RateLimit")).groups()
                    self.assertEqual((name, int(remaining)), ("default", left))
                    self.assertAlmostEqual(int(seconds), max(left, 1) * 3600, delta=60)
                    self.assertEqual(answer.field("X-RateLimit-Limit"), "3")
                    self.assertEqual(answer.field("X-RateLimit-Remaining"), str(left))
                    self.assertRegex(answer.field("X-RateLimit-Reset"), r"^\d+$")
                    self.assertFalse(answer.has("Retry-After"))

    def test_that_refuse_say_why(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 1))
            before = self.origin.count()
            with gateway.client() as client:
                client.get("/")
                answer = client.get("/")
                self.assertEqual(answer.status, 429)
                self.assertEqual(answer.field("Content-Type"), "application/problem+json")
                told = answer.json()
                self.assertEqual(told["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded")
                self.assertEqual((told["status"], told["violated-policies"]), (429, ["default"]))
                self.assertIsInstance(told["title"], str)
                self.assertEqual(told["request_id"], answer.field("X-Request-Id"))
                self.assertAlmostEqual(int(answer.field("Retry-After")), 3600, delta=60)
                self.assertEqual(re.search(r";t=(\d+)$", answer.field("RateLimit"))[1], answer.field("Retry-After"))
                self.assertEqual(answer.field("X-RateLimit-Remaining"), "0")
                client.ask("HEAD", "/")
                self.assertEqual(client.read().status, 429)
                client.ask("POST", "/", [], b"x" * 1000)
                self.assertEqual(client.read().status, 429)
            self.assertEqual(self.origin.count() - before, 1)

    def test_never_count_the_gateways_own_pages(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 1))
            self.assertEqual(statuses(gateway, 3), [200, 429, 429])
            answer = gateway.fetch("/gateway/stats")
            self.assertEqual(answer.status, 200)
            self.assertFalse(answer.has("RateLimit"))

    def test_know_clients_behind_trusted_proxies_alone(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 2))
            for client in ("203.0.113.1", "203.0.113.2"):
                self.assertEqual(statuses(gateway, 3, fields=[("X-Forwarded-For", client)], source=TRUSTED), [200, 200, 429])
            for client in ("203.0.113.3", "203.0.113.4"):  # the client itself controls the left of the list
                fields = [("X-Forwarded-For", "198.51.100.%s, 203.0.113.5" % client[-1])]
                expected = [200, 200, 429] if client[-1] == "3" else [429, 429, 429]
                self.assertEqual(statuses(gateway, 3, fields=fields, source=TRUSTED), expected)
            spoofed = [statuses(gateway, 1, fields=[("X-Forwarded-For", "203.0.113.%d" % number)])[0] for number in range(100, 104)]
            self.assertEqual(spoofed, [200, 200, 429, 429])

    def test_know_ipv6_clients_by_their_64_bits(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 2))
            ask = lambda address: statuses(gateway, 1, fields=[("X-Forwarded-For", address)], source=TRUSTED)[0]
            self.assertEqual([ask("2001:db8::1"), ask("2001:db8::ffff"), ask("2001:db8:0:0:9::1"), ask("2001:db8:0:1::1")], [200, 200, 429, 200])

    def test_may_be_per_minute(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("10/min", 5))
            with gateway.client() as client:
                answers = [client.get("/") for _ in range(6)]
            self.assertEqual([answer.status for answer in answers], [200] * 5 + [429])
            self.assertEqual(answers[0].field("RateLimit-Policy"), '"default";q=5;w=30')
            self.assertIn(answers[5].field("Retry-After"), ("5", "6"))

    def test_may_come_from_the_environment(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"limits": {"enabled": True}}, environment={"RATE_LIMIT_RATE": "1/h", "RATE_LIMIT_BURST": 4})
            self.assertEqual(statuses(gateway, 6), [200] * 4 + [429] * 2)

    def test_of_several_policies_must_all_allow(self):
        with Stage() as stage:
            policies = [{"name": "login", "path": "/login", "rate": "1/h", "burst": 2}, {"name": "key", "by": "header:X-Api-Key", "rate": "1/h", "burst": 4, "path": "/api"}]
            gateway = stage.gateway(self.origin, limits("1/h", 10, policies=policies))
            self.assertEqual(statuses(gateway, 3, "/login"), [200, 200, 429])
            self.assertEqual(statuses(gateway, 1, "/other"), [200])
            key = lambda name: statuses(gateway, 5, "/api", [("X-Api-Key", name)])
            self.assertEqual(key("one"), [200] * 4 + [429])
            # a refusal took no token of the others: 10 - 2 - 1 - 4 = 3 are left of the address' own
            self.assertEqual(key("two"), [200] * 3 + [429] * 2)

    def test_in_shadow_count_and_refuse_nothing(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 1, shadow=True))
            self.assertEqual(statuses(gateway, 3), [200] * 3)
            self.assertEqual(gateway.access_log(3)[2]["limit"], "shadow_refused")

    def test_by_misses_let_hits_pass(self):
        with Stage() as stage:
            config = limits("1/h", 1, count="misses")
            config["cache"] = {"enabled": True}
            gateway = stage.gateway(self.origin, config)
            self.assertEqual(statuses(gateway, 3, "/hit"), [200] * 3)
            self.assertEqual(statuses(gateway, 2, "/miss"), [429] * 2)

    def test_keep_a_backends_own_members(self):
        self.origin.on("/theirs", fields=[("RateLimit", '"theirs";r=5;t=9'), ("RateLimit-Policy", '"theirs";q=9;w=9')])
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 5))
            answer = gateway.fetch("/theirs")
            self.assertRegex(", ".join(answer.all("RateLimit")), r'^"theirs";r=5;t=9, "default";r=4;t=\d+$')
            self.assertEqual(", ".join(answer.all("RateLimit-Policy")), '"theirs";q=9;w=9, "default";q=5;w=18000')

    def test_no_fields_of_a_backend_contradict_ours(self):
        """A field that can hold only one value is the gateway's; a list that cannot be read, or names the gateway's policy, is removed
        as a whole."""
        ours = {"RateLimit-Policy": '"default";q=50;w=180000', "X-RateLimit-Limit": "50"}
        old = [(prefix + name, "7") for prefix in ("X-RateLimit-", "X-Rate-Limit-", "RateLimit-") for name in ("Limit", "Remaining", "Reset")]
        good = [("RateLimit", '"theirs";r=5;t=9'), ("RateLimit-Policy", '"theirs";q=9;w=9'), ("RateLimit-Policy", '"more";q=1')]
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 50))
            for number, (fields, kept) in enumerate((
                    (old, []),
                    (old + good, good),
                    ([("RateLimit", "limit=100, remaining=50, reset=3")], []),
                    ([("RateLimit", "limit=100, remaining=50, reset=3"), ("RateLimit-Policy", "100;w=60")], []),
                    (good + [("RateLimit", "x,,y")], []),
                    (good[:2] + [("RateLimit-Policy", "")], []),
                    ([("RateLimit", '"default";r=5;t=9'), ("RateLimit-Policy", '"default";q=9;w=9')], []),
                    ([("RateLimit", '"theirs";r=5;t=9'), ("RateLimit-Policy", '"theirs";q=9;w=9, "default";q=1')], []))):
                with self.subTest(fields):
                    self.origin.on("/own-%d" % number, fields=fields + [("X-Kept", "1"), ("ETag", '"1"')])
                    answer = gateway.fetch("/own-%d" % number)
                    self.assertEqual(answer.field("X-Kept"), "1")
                    for name in ("RateLimit", "RateLimit-Policy"):
                        theirs = [value for key, value in kept if key == name]
                        self.assertEqual(answer.all(name)[:-1], theirs)
                        self.assertTrue(answer.all(name)[-1].startswith('"default";'))
                    self.assertEqual(answer.all("RateLimit-Policy")[-1], ours["RateLimit-Policy"])
                    self.assertEqual(answer.field("X-RateLimit-Limit"), "50")
                    self.assertEqual(answer.field("X-RateLimit-Remaining"), answer.all("RateLimit")[-1].split(";")[1][2:])
                    for prefix in ("X-Rate-Limit-", "RateLimit-"):
                        self.assertFalse([name for name in ("Limit", "Remaining", "Reset") if answer.has(prefix + name)])

    def test_a_policy_that_is_not_told_contradicts_nothing(self):
        fields = [("RateLimit", '"quiet";r=5;t=9'), ("RateLimit-Policy", '"quiet";q=9;w=9')]
        self.origin.on("/quiet", fields=fields)
        with Stage() as stage:
            answer = stage.gateway(self.origin, limits("1/h", 50, policies=[{"name": "quiet", "rate": "1/h", "burst": 9, "shadow": True}])).fetch("/quiet")
            for name, theirs in fields:
                self.assertEqual(answer.all(name)[0], theirs)
                self.assertTrue(answer.all(name)[-1].startswith('"default";'))

    def test_a_backends_own_refusal_is_told_in_its_words(self):
        fields = [("Retry-After", "77"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "77"), ("RateLimit", '"theirs";r=0;t=77')]
        self.origin.on("/refused", status=429, fields=fields)
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 5))
            answer = gateway.fetch("/refused")
            self.assertEqual(answer.status, 429)
            self.assertEqual([(name, value) for name, value in answer.fields if "ratelimit" in name.lower() and "expose" not in name.lower()], fields[1:])
            self.assertEqual(answer.all("Retry-After"), ["77"])

    def test_what_is_not_limited_keeps_a_backends_own_fields(self):
        fields = [("RateLimit", "limit=100, remaining=50, reset=3"), ("X-RateLimit-Limit", "7"), ("RateLimit-Limit", "8")]
        self.origin.on("/free", fields=fields)
        with Stage() as stage:
            for config in (limits("1/h", 5, ratelimit_fields=False, x_ratelimit_fields=False), limits("1/h", 5, shadow=True)):
                answer = stage.gateway(self.origin, config).fetch("/free")
                self.assertEqual([(name, value) for name, value in answer.fields if "ratelimit" in name.lower() and "expose" not in name.lower()], fields)

    def test_fields_can_be_left_out(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, limits("1/h", 1, ratelimit_fields=False, x_ratelimit_fields=False))
            with gateway.client() as client:
                for answer in (client.get("/"), client.get("/")):
                    self.assertFalse([name for name, _ in answer.fields if "ratelimit" in name.lower() and "expose" not in name.lower()])
                self.assertTrue(answer.has("Retry-After"))


if __name__ == "__main__":
    main()
