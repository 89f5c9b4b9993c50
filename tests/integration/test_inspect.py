"""GET /gateway/cache/inspect, and the commands that ask a running gateway: visara-gateway cache inspect, … cache purge."""
import json
import subprocess
from urllib.parse import quote

from redis_stage import RedisServer
from stage import BINARY, Port, Scene, clean_environment, main, wait_until

TOKEN = "only-these-tests-know-it"
HOST = "gateway.test"
FRESH = ("Cache-Control", "max-age=600")


def inspected(gateway, path, *headers, scheme="http", host=HOST):
    query = "url=" + quote("%s://%s%s" % (scheme, host, path), safe="") + "".join("&header=" + quote(header, safe="") for header in headers)
    answer = gateway.fetch("/gateway/cache/inspect?" + query, [("Authorization", "Bearer " + TOKEN)])
    assert (answer.status, answer.field("Content-Type"), answer.field("Cache-Control")) == (200, "application/json", "no-store"), answer
    return answer.json()


def pairs(headers):
    return [tuple(header.split(": ")) for header in headers]


def purge(gateway, query):
    return gateway.fetch("/gateway/cache/purge?" + query, [("Authorization", "Bearer " + TOKEN)], "POST")


class Embedded(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"admin": {"token": TOKEN}, "cache": {
            "enabled": True, "bypass_cookies": ["session"], "bypass_paths": ["/live"], "ignore_query": ["utm_*"], "sort_query": True}})

    def stored(self, path, *fields, headers=()):
        self.origin.on(path, fields=list(fields) or [FRESH], body=b"12345")
        self.gateway.fetch(path, pairs(headers))
        return self.gateway

    def test_what_is_not_stored(self):
        told = inspected(self.gateway, "/nothing")
        self.assertEqual((told["near"], told["redis"], told["route"], told["url"]), ([], None, "default", "http://gateway.test/nothing"))
        self.assertEqual(told["verdict"], "The backend is asked: nothing is stored.")

    def test_what_is_stored_and_would_answer(self):
        self.stored("/stored", FRESH, ("Surrogate-Key", "a b"), ("ETag", '"1"'), ("Age", "7"))
        told = inspected(self.gateway, "/stored")
        entry, = told["near"]
        self.assertRegex(told["verdict"], r"^Answered from this process' memory; fresh for 59\d s more\.$")
        self.assertEqual((entry["would_be_used"], entry["status"], entry["freshness_s"], entry["body_bytes"], entry["tags"], entry["ban"]),
                         ("fresh", 200, 600, 5, ["a", "b"], "none"))
        self.assertGreaterEqual(entry["age_s"], 7)
        self.assertEqual(entry["ttl_s"], entry["freshness_s"] - entry["age_s"])
        self.assertEqual(inspected(self.gateway, "/stored", scheme="https")["near"], [], "another scheme has another key")
        self.assertEqual(inspected(self.gateway, "/stored", host="other.test")["near"], [])

    def test_it_is_no_use_and_changes_nothing(self):
        self.stored("/unused")
        counted = ("gateway_cache_requests_total", "gateway_upstream_connects_total", "gateway_requests_total")
        before = [self.gateway.metric_sum(name) for name in counted]
        first = inspected(self.gateway, "/unused")
        for _ in range(3):
            self.assertEqual(inspected(self.gateway, "/unused")["near"][0]["freshness_s"], first["near"][0]["freshness_s"])
        self.assertEqual([self.gateway.metric_sum(name) for name in counted], before)
        self.assertEqual(self.gateway.fetch("/unused").field("X-Cache"), "HIT")

    def test_headers_choose_the_variant(self):
        for language in ("de", "fr"):
            self.stored("/variants", FRESH, ("Vary", "Accept-Language"), headers=["Accept-Language: " + language])
        told = inspected(self.gateway, "/variants", "Accept-Language: fr")
        uses = {entry["selected_by"][0]["value"]: entry["would_be_used"] for entry in told["near"]}
        self.assertEqual(uses, {"de": "no", "fr": "fresh"})
        told = inspected(self.gateway, "/variants")
        self.assertEqual({entry["would_be_used"] for entry in told["near"]}, {"no"})
        self.assertIn("not for this request", told["verdict"])

    def test_why_a_request_is_not_answered_from_the_cache(self):
        self.stored("/plain")
        for headers, path, part in ((["Cache-Control: no-store"], "/plain", "it says no-store"), (["Cookie: session=1"], "/plain", "cache.bypass_cookies"),
                                    ([], "/live/x", "cache.bypass_paths"), (["If-Match: *"], "/plain", "If-Match"), (["Authorization: x"], "/plain", "not for this request"),
                                    (["Cache-Control: no-cache"], "/plain", "what is stored is not for this request")):
            with self.subTest(path, headers=headers):
                told = inspected(self.gateway, path, *headers)
                self.assertIn(part, told["verdict"])
                self.assertTrue(told["verdict"].startswith("The backend is asked"), told["verdict"])
                answer = self.gateway.fetch(path, pairs(headers))
                self.assertIn(answer.field("X-Cache"), ("BYPASS", "MISS"))

    def test_the_query_is_shown_as_it_is_keyed(self):
        self.stored("/query")
        self.gateway.fetch("/query?b=2&utm_source=x&a=1")
        told = inspected(self.gateway, "/query?utm_medium=y&a=1&b=2")
        self.assertEqual((told["query"], told["near"][0]["would_be_used"]), ("a=1&b=2", "fresh"))
        self.assertIsNone(inspected(self.gateway, "/query?utm_medium=y")["query"])

    def test_a_url_is_named_as_it_came(self):
        path, query = "/raw[1]{2}|^`", "f[x]={y}\\|%&z=%zz"
        self.gateway.fetch(path + "?" + query)
        told = inspected(self.gateway, path + "?" + query)
        self.assertEqual((len(told["near"]), told["query"]), (1, query))
        self.assertEqual(inspected(self.gateway, path.replace("[", "%5B") + "?" + query)["near"], [])

    def test_purges_show(self):
        self.stored("/purged", FRESH, ("ETag", '"1"'))
        purge(self.gateway, "prefix=/purged&soft=1")
        entry, = inspected(self.gateway, "/purged")["near"]
        self.assertEqual((entry["ban"], entry["would_be_used"], entry["why"]), ("soft", "after validation", "it was purged softly"))
        purge(self.gateway, "prefix=/purged")
        told = inspected(self.gateway, "/purged")
        self.assertEqual([entry["ban"] for entry in told["near"]], ["hard"] * len(told["near"]))
        self.assertTrue(told["verdict"].startswith("The backend is asked"))

    def test_an_answer_that_is_not_shared_leaves_its_mark(self):
        self.origin.on("/private", fields=[("Cache-Control", "private, max-age=60")])
        self.gateway.fetch("/private")
        told = inspected(self.gateway, "/private")
        self.assertEqual((told["near"], told["near_hit_for_miss"]), ([], True))
        self.assertIn("hit-for-miss", told["verdict"])

    def test_why_the_last_answer_was_not_stored(self):
        self.origin.on("/last", fields=[("Set-Cookie", "a=b")])
        self.gateway.fetch("/last")
        told = inspected(self.gateway, "/last")
        self.assertEqual((told["last_refusal"]["detail"], told["last_refusal"]["why"]), ("set-cookie", "it set a cookie"))
        self.assertRegex(told["verdict"], r" The last answer, \d+ s ago, was not stored: it set a cookie\.$")
        self.assertIsNone(inspected(self.gateway, "/last", host="other.test")["last_refusal"])
        self.origin.on("/last", fields=[("Cache-Control", "private; max-age=0")])
        self.gateway.fetch("/last")
        self.assertEqual(inspected(self.gateway, "/last")["last_refusal"]["detail"], "private")
        self.stored("/last")
        self.assertIsNone(inspected(self.gateway, "/last")["last_refusal"])
        self.assertIn("Answered from this process' memory", inspected(self.gateway, "/last")["verdict"])

    def test_what_is_no_inspection_is_refused_by_name(self):
        for query, part in (("", "url=http://host/path"), ("url=/path", "http://host/path"), ("url=http://a/&header=x", "Name: value"), ("url=http://a/&soft=1", "parameter soft")):
            with self.subTest(query):
                answer = self.gateway.fetch("/gateway/cache/inspect?" + query, [("Authorization", "Bearer " + TOKEN)])
                self.assert_error(answer, 400, "invalid_query")
                self.assertIn(part, answer.json()["detail"])

    def test_it_is_a_get(self):
        for method, status in (("POST", 405), ("DELETE", 405), ("HEAD", 200)):
            answer = self.gateway.fetch("/gateway/cache/inspect?url=http://a/", [("Authorization", "Bearer " + TOKEN)], method)
            self.assertEqual((answer.status, answer.field("Allow")), (status, "GET, HEAD" if status == 405 else None))


class Shared(Scene):
    """What lies in Redis."""

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        config = {"admin": {"token": TOKEN}, "redis": {"url": cls.redis.url, "timeout": "10s"}, "cache": {"enabled": True}}
        cls.gateways = [stage.gateway(cls.origin, config) for _ in range(2)]
        for gateway in cls.gateways:
            gateway.wait_for_tracking()

    def test_what_another_instance_stored_is_seen_and_stays_where_it_is(self):
        self.origin.on("/far", fields=[FRESH], body=b"12345")
        self.gateways[0].fetch("/far")
        told = wait_until(lambda: self.with_kind("/far", "frame"), "it is stored")
        self.assertEqual((told["near"], told["redis"]["entry"]["would_be_used"], told["redis"]["entry"]["body_bytes"]), ([], "fresh", 5))
        self.assertRegex(told["verdict"], r"^Answered from Redis; fresh for (600|59\d) s more\.$")
        self.assertEqual(self.redis.cli("EXISTS", told["key"]["redis"]), 1)
        self.assertLessEqual(abs(self.redis.cli("PTTL", told["key"]["redis"]) - told["redis"]["ttl_ms"]), 5000)
        self.assertEqual(inspected(self.gateways[1], "/far")["near"], [], "looking did not bring it near")
        self.assertEqual(self.gateways[1].fetch("/far").field("X-Cache"), "HIT")
        told = inspected(self.gateways[1], "/far")
        self.assertEqual(len(told["near"]), 1)
        self.assertIn("this process' memory", told["verdict"])

    def with_kind(self, path, kind, *headers):
        told = inspected(self.gateways[1], path, *headers)
        return told if told["redis"].get("kind") == kind else None

    def test_an_index_of_variants(self):
        self.origin.on("/index", fields=[FRESH, ("Vary", "Accept-Language")], body=b"12345")
        for language in ("de", "fr"):
            self.gateways[0].fetch("/index", [("Accept-Language", language)])
        told = wait_until(lambda: (self.with_kind("/index", "index", "Accept-Language: de") or {}).get("redis", {}).get("variants") == 2
                          and self.with_kind("/index", "index", "Accept-Language: de"), "both are stored")
        self.assertEqual((told["redis"]["names"], told["redis"]["entry"]["would_be_used"]), ("accept-language", "fresh"))
        told = inspected(self.gateways[1], "/index", "Accept-Language: it")
        self.assertNotIn("entry", told["redis"])
        self.assertEqual(told["verdict"], "The backend is asked: other variants are stored, none for this request.")

    def test_a_tombstone(self):
        self.assertEqual(purge(self.gateways[0], "url=http://%s/dead" % HOST).status, 200)
        told = inspected(self.gateways[1], "/dead")
        self.assertEqual(told["redis"]["kind"], "tombstone")
        self.assertGreater(told["redis"]["ttl_ms"], 60000)
        self.assertIn("purged", told["verdict"])

    def test_a_mark(self):
        self.origin.on("/mark", fields=[("Cache-Control", "private, max-age=60")])
        self.gateways[0].fetch("/mark")
        self.assertIn("hit-for-miss", wait_until(lambda: self.with_kind("/mark", "hit-for-miss"), "it is marked")["verdict"])

    def test_what_is_none_of_ours_stays_there(self):
        key = inspected(self.gateways[1], "/foreign")["key"]["redis"]
        for value, kind in ((b"somebody else's", "foreign"), (b"", "foreign")):
            self.redis.cli("SET", key, value, "PX", "60000")
            self.assertEqual(inspected(self.gateways[1], "/foreign")["redis"]["kind"], kind)
            self.assertEqual(self.redis.cli("GET", key), value)

    def test_a_ban_shows(self):
        self.origin.on("/banned", fields=[FRESH, ("Cache-Tag", "banned")], body=b"12345")
        self.gateways[0].fetch("/banned")
        wait_until(lambda: self.with_kind("/banned", "frame"), "it is stored")
        purge(self.gateways[1], "tag=banned")
        told = inspected(self.gateways[1], "/banned")
        self.assertEqual((told["redis"]["entry"]["ban"], told["redis"]["entry"]["would_be_used"]), ("hard", "no"))

    def test_what_redis_does_not_answer(self):
        gateway = self.stage.gateway(self.origin, {"admin": {"token": TOKEN}, "redis": {"url": self.redis.url, "timeout": "200ms"}, "cache": {"enabled": True}})
        gateway.wait_for_tracking()
        self.redis.freeze()
        try:
            for _ in range(2):  # Redis does not answer, and the gateway knows that it is away
                told = inspected(gateway, "/unknown")
                self.assertEqual(told["redis"], {"known": False})
                self.assertIn("Redis did not answer", told["verdict"])
        finally:
            self.redis.thaw()
        for each in self.gateways + [gateway]:
            each.wait_for_tracking()


class Commands(Scene):
    """The command line."""

    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.origin.on("/x", fields=[FRESH, ("Vary", "Accept-Language")], body=b"12345")
        cls.gateway = stage.gateway(cls.origin, {"admin": {"token": TOKEN}, "cache": {"enabled": True}})
        cls.url = "http://127.0.0.1:%d" % cls.gateway.port

    def run_command(self, *arguments, **environment):
        return subprocess.run([BINARY, "cache"] + list(arguments), env=clean_environment(**environment), capture_output=True, timeout=60, check=False)

    def test_inspect_prints_the_page(self):
        self.gateway.fetch("/x", [("Accept-Language", "de")])
        for arguments, environment in ((["--gateway", self.url, "--token", TOKEN], {}), (["--gateway=%s/" % self.url], {"GATEWAY_ADMIN_TOKEN": TOKEN}),
                                       ([], {"GATEWAY_ADMIN_TOKEN": TOKEN, "GATEWAY_PORT": self.gateway.port})):
            with self.subTest(arguments):
                done = self.run_command("inspect", "http://gateway.test/x", "--header", "Accept-Language: de", *arguments, **environment)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                told = json.loads(done.stdout)
                self.assertEqual(told["near"][0]["would_be_used"], "fresh")
                self.assertGreater(done.stdout.count(b"\n"), 10, "it is for people to read")

    def test_purge_purges(self):
        for arguments in (["--url", "http://gateway.test/x"], ["--url=/x"], ["--prefix", "/x"], ["--all"], ["--tag", "t", "--soft"]):
            with self.subTest(arguments):
                wait_until(lambda: self.gateway.fetch("/x").field("X-Cache") == "HIT", "it is stored")
                done = self.run_command("purge", *arguments, "--gateway", self.url, "--token", TOKEN)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                told = json.loads(done.stdout)
                self.assertEqual((told["everywhere"], told["soft"]), (True, "--soft" in arguments))
                self.assertEqual(self.gateway.fetch("/x").field("X-Cache"), "HIT" if "--tag" in arguments else "MISS")

    def test_a_refusal_is_told_and_is_a_failure(self):
        for arguments, part in ((["inspect", "http://a/", "--token", "wrong"], b"answered 401"), (["inspect", "/a", "--token", TOKEN], b"http://host/path?query"),
                                (["purge", "--prefix", "a", "--token", TOKEN], b"parameter prefix")):
            with self.subTest(arguments):
                done = self.run_command(*arguments, "--gateway", self.url)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertIn(part, done.stderr)
                self.assertNotIn(TOKEN.encode(), done.stderr)

    def test_a_gateway_that_cannot_be_reached_is_a_failure(self):
        port = Port()
        done = self.run_command("inspect", "http://a/", "--token", TOKEN, "--gateway", "http://127.0.0.1:%d" % port.number)
        port.release()
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"127.0.0.1:%d" % port.number, done.stderr)

    def test_wrong_usage_is_told(self):
        for arguments, part in (([], b"inspect or purge"), (["look"], b"look"), (["inspect"], b"a URL"), (["inspect", "http://a/", "http://b/"], b"one URL"),
                                (["inspect", "http://a/", "--soft"], b"--soft"), (["inspect", "http://a/", "--header"], b"a value"), (["purge"], b"--prefix"),
                                (["purge", "--all", "--tag", "t"], b"one of"), (["purge", "--url", ""], b"a value"), (["purge", "--url", "/a", "--everything"], b"--everything"),
                                (["purge", "/a"], b"/a"), (["inspect", "http://a/", "--gateway", "a:80"], b"http://host:port"), (["inspect", "http://a/", "--token", ""], b"a value")):
            with self.subTest(arguments):
                done = self.run_command(*arguments, **({} if "--token" in arguments else {"GATEWAY_ADMIN_TOKEN": TOKEN}))
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(part, done.stderr)
        done = self.run_command("inspect", "http://a/")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"GATEWAY_ADMIN_TOKEN", done.stderr)

    def test_help_names_both(self):
        for arguments in (["--help"], ["inspect", "-h"]):
            done = self.run_command(*arguments)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"cache purge", done.stdout)
        self.assertIn(b"cache inspect", subprocess.run([BINARY, "--help"], env=clean_environment(), capture_output=True, timeout=60, check=False).stdout)


if __name__ == "__main__":
    main()
