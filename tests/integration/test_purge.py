"""POST /gateway/cache/purge: which answers it ends, on which instances, and that no older answer is served after it."""
import collections
import re
import threading
from urllib.parse import quote

from redis_stage import RedisServer
from stage import Port, Scene, Stage, fetch, in_parallel, main, wait_until

TOKEN = "only-these-tests-know-it"
HOST = "gateway.test"
FRESH = ("Cache-Control", "max-age=600")
# What is purged for a path that carries the tag "t" and a number of its own.
KINDS = ("url=http://%(host)s%(path)s", "url=https://%(host)s%(path)s", "url=%(path)s", "prefix=%(path)s", "prefix=http://%(host)s%(path)s", "tag=%(tag)s", "all=1")
NOT_BY_KEY = ("url=%(path)s", "prefix=%(path)s", "tag=%(tag)s", "all=1")


def purge(gateway, query, token=TOKEN, method="POST", **more):
    return gateway.fetch("/gateway/cache/purge?" + query, [("Authorization", "Bearer " + token)], method, **more)


class Told:
    """An origin's paths, each with a value that changes; an answer names the value that its path had when the request came."""

    def __init__(self, origin):
        self.origin, self.values, self.count = origin, collections.defaultdict(lambda: "old"), 0

    def path(self, *fields, freshness=FRESH):
        """A new path, and its tag."""
        self.count += 1
        path, tag = "/told/%d" % self.count, "tag-%d" % self.count
        self.origin.on(path, lambda call: self.answer(call, [freshness, ("Surrogate-Key", "t %s" % tag)] + list(fields)))
        return path, tag

    def answer(self, call, fields):
        value = self.values[call.request.target]
        etag = ("ETag", '"%s"' % value)
        if call.request.field("If-None-Match") == etag[1]:
            call.respond(304, fields=fields + [etag], reason="Not Modified")
        else:
            call.respond(fields=fields + [etag], body=value.encode())


class Purges:
    """For a scene with cls.gateways, cls.origin and cls.told; a mixin, so that each setting runs all of these tests."""

    def hit(self, gateway, path, host=HOST):
        answer = gateway.fetch(path, host=host)
        return answer if answer.field("X-Cache") == "HIT" else None

    def fill(self, path, host=HOST):
        for gateway in self.gateways:
            wait_until(lambda: self.hit(gateway, path, host), "%s is stored" % path)

    def assert_never_again(self, path, old, host=HOST):
        """The purge holds at once on the gateway that was asked, soon on the others, and then for every later request."""
        self.assertNotEqual(self.gateways[0].fetch(path, host=host).body, old)
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch(path, host=host).body != old, "the purge is seen", 5)
        for answer in in_parallel(8, lambda index: self.gateways[index % len(self.gateways)].fetch(path, host=host)):
            self.assertNotEqual(answer.body, old)

    def purged(self, query, gateway=None):
        answer = purge(gateway or self.gateways[0], query)
        self.assertEqual((answer.status, answer.field("Content-Type"), answer.field("Cache-Control")), (200, "application/json", "no-store"), answer)
        told = answer.json()
        self.assertIs(told["everywhere"], True)
        return told

    def test_every_kind_of_purge_ends_what_it_names(self):
        for kind in KINDS:
            with self.subTest(kind):
                path, tag = self.told.path()
                self.fill(path)
                self.told.values[path] = "new"
                told = self.purged(kind % {"path": path, "host": HOST, "tag": tag})
                self.assertIs(told["soft"], False)
                self.assert_never_again(path, b"old")

    def test_what_a_purge_does_not_name_stays(self):
        path, tag = self.told.path()
        other, _ = self.told.path()
        self.fill(path)
        self.fill(other)
        self.fill(path, "other.test")
        for query in ("url=http://%s%s" % (HOST, path), "prefix=%s/x" % path, "url=%s%%3Fa=1" % path, "tag=%s0" % tag, "tag=tag", "prefix=http://third.test/",
                      "url=http://%s:8080%s" % (HOST, other)):
            self.purged(query)
        self.assertEqual([self.hit(self.gateways[0], *what) is not None for what in ((other,), (path, "other.test"), (path,))], [True, True, False])

    def test_a_host_is_compared_in_any_case_and_with_its_port(self):
        for host, query in (("Gateway.Test:8080", "url=http://gateway.test:8080"), ("gateway.test:8080", "prefix=http://GATEWAY.test:8080"), ("gateway.test:80", "url=http://gateway.test"),
                            ("Gateway.test:", "prefix=http://gateway.test"), ("gateway.test", "url=http://gateway.test:080"), ("gateway.test", "prefix=http://Gateway.TEST:80")):
            with self.subTest(query):
                path, _ = self.told.path()
                self.fill(path, host)
                self.told.values[path] = "new"
                self.purged(query + path)
                self.assert_never_again(path, b"old", host)

    def test_a_query_is_part_of_the_url(self):
        path, _ = self.told.path()
        for query in ("?a=1", "?a=1&b=%20", "?"):
            self.fill(path + query)
        self.told.values[path + "?a=1&b=%20"] = "new"
        self.purged("url=" + quote("http://%s%s?a=1&b=%%20" % (HOST, path)))
        self.assert_never_again(path + "?a=1&b=%20", b"old")
        self.assertIsNotNone(self.hit(self.gateways[0], path + "?a=1"))
        self.assertIsNotNone(self.hit(self.gateways[0], path + "?"))

    def test_a_url_is_named_as_it_came(self):
        for query in ("?f[x]={y}|^`\\", "?100%", "?%zz", "?\xe4\xff"):
            for kind in ("url=http://%s%s", "url=%.0s%s", "prefix=%.0s%s"):
                with self.subTest(query, kind=kind):
                    path, _ = self.told.path()
                    self.fill(path + query)
                    self.told.values[path + query] = "new"
                    self.purged(kind % (HOST, quote(path + query, encoding="latin-1")))
                    self.assert_never_again(path + query, b"old")

    def test_every_variant_ends(self):
        for kind in KINDS:
            with self.subTest(kind):
                path, tag = self.told.path(("Vary", "Accept-Language"))
                fields = [[("Accept-Language", language)] for language in ("de", "fr")]
                for gateway in self.gateways:
                    for some in fields:
                        wait_until(lambda: gateway.fetch(path, some).field("X-Cache") == "HIT", "the variant is stored")
                self.told.values[path] = "new"
                self.purged(kind % {"path": path, "host": HOST, "tag": tag})
                for gateway in self.gateways:
                    for some in fields:
                        wait_until(lambda: gateway.fetch(path, some).body == b"new", "the variant has ended", 5)

    def test_what_is_purged_softly_is_validated(self):
        for kind in KINDS:
            with self.subTest(kind):
                path, tag = self.told.path()
                self.fill(path)
                asked = self.origin.count(path)
                self.assertIs(self.purged(kind % {"path": path, "host": HOST, "tag": tag} + "&soft=1")["soft"], True)
                if kind.startswith("url=http"):
                    self.assertEqual(self.origin.count(path), asked)
                answer = self.gateways[0].fetch(path)
                self.assertEqual((answer.status, answer.body, answer.field("X-Cache")), (200, b"old", "REVALIDATED"))
                self.assertEqual(self.origin.last(path).field("If-None-Match"), '"old"')
                wait_until(lambda: self.hit(self.gateways[0], path), "it is fresh again")

    def test_what_is_purged_softly_answers_while_it_is_refreshed(self):
        path, tag = self.told.path(freshness=("Cache-Control", "max-age=600, stale-while-revalidate=600"))
        self.fill(path)
        self.told.values[path] = "new"
        self.purged("tag=%s&soft=1" % tag)
        self.assertEqual(self.gateways[0].fetch(path).field("X-Cache"), "STALE")
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch(path).body == b"new", "it was refreshed")

    def test_a_hard_purge_after_a_soft_one_ends_it(self):
        path, tag = self.told.path(freshness=("Cache-Control", "max-age=600, stale-while-revalidate=600"))
        self.fill(path)
        self.told.values[path] = "new"
        self.purged("tag=%s&soft=1" % tag)
        self.purged("tag=%s" % tag)
        self.assert_never_again(path, b"old")

    def held(self, path, tag):
        """A held answer: (event: the origin has the request; event: let the answer go)."""
        arrived, release = threading.Event(), threading.Event()

        def handler(call):
            value = self.told.values[path].encode()
            if value == b"old":
                arrived.set()
                call.wait(release)
            call.respond(fields=[FRESH, ("Surrogate-Key", tag)], body=value)
        self.origin.on(path, handler)
        return arrived, release

    def test_a_fetch_that_began_before_a_purge_is_not_used_after_it(self):
        for kind in KINDS:
            for number, gateway in enumerate(self.gateways):
                with self.subTest(kind, instance=number):
                    path, tag = self.told.path()
                    arrived, release = self.held(path, tag)
                    before = []
                    client = threading.Thread(target=lambda: before.append(gateway.fetch(path)), daemon=True)
                    client.start()
                    wait_until(arrived.is_set, "the origin is asked")
                    self.told.values[path] = "new"
                    self.purged(kind % {"path": path, "host": HOST, "tag": tag})
                    if not kind.startswith("url=https"):  # this key's fetch is detached, too, and the other is not asked for
                        self.assertEqual(self.gateways[0].fetch(path).body, b"new", "it waits for no fetch that began before")
                    release.set()
                    client.join(60)
                    self.assertEqual([answer.body for answer in before], [b"old"], "requests from before get what there was")
                    self.assert_never_again(path, b"old")
                    self.fill(path)
                    self.assert_never_again(path, b"old")

    def test_what_was_purged_does_not_stand_in_for_a_backend_that_fails_after_it(self):
        for kind in KINDS[:1] + NOT_BY_KEY:
            with self.subTest(kind):
                path, tag = self.told.path()
                gate, asked, is_down = threading.Event(), threading.Event(), threading.Event()

                def failing(call, tag=tag, gate=gate, asked=asked, is_down=is_down):
                    if not is_down.is_set():
                        call.respond(fields=[("Cache-Control", "max-age=600, stale-if-error=600"), ("Age", "601"), ("Surrogate-Key", tag)], body=b"old")
                        return
                    asked.set()
                    call.wait(gate)
                    call.respond(503, body=b"failed")
                self.origin.on(path, failing)
                gate.set()

                def stands_in(path=path, is_down=is_down):
                    """The answer is stored, and the backend fails. If a store was lost (Redis was late), the next round stores again."""
                    is_down.clear()
                    self.gateways[0].fetch(path)
                    is_down.set()
                    return all(gateway.fetch(path).field("X-Cache") == "STALE" for gateway in self.gateways)
                wait_until(stands_in, "%s stands in" % path)
                gate.clear()
                asked.clear()
                with self.gateways[0].client() as client:
                    client.ask(target=path, host=HOST)
                    wait_until(asked.is_set, "the backend is asked")
                    self.purged(kind % {"path": path, "host": HOST, "tag": tag})
                    gate.set()
                    self.assertEqual(client.read().status, 503)
                self.assertEqual(self.gateways[0].fetch(path).status, 503)

    def test_a_soft_purge_makes_stale_what_was_fetched_before_it(self):
        path, tag = self.told.path()
        arrived, release = self.held(path, tag)
        client = threading.Thread(target=lambda: self.gateways[0].fetch(path), daemon=True)
        client.start()
        wait_until(arrived.is_set, "the origin is asked")
        self.told.values[path] = "new"
        self.purged("tag=%s&soft=1" % tag)
        release.set()
        client.join(60)
        self.assertEqual(self.gateways[0].fetch(path).body, b"new")

    def test_many_purges_at_once_all_hold(self):
        told = [self.told.path() for _ in range(12)]
        for path, _ in told:
            self.fill(path)
        for path, _ in told:
            self.told.values[path] = "new"
        kinds = ("url=http://%(host)s%(path)s", "prefix=%(path)s", "tag=%(tag)s")

        def run(index):
            path, tag = told[index]
            return purge(self.gateways[index % len(self.gateways)], kinds[index % 3] % {"host": HOST, "path": path, "tag": tag}).status
        self.assertEqual(set(in_parallel(12, run)), {200})
        for path, _ in told:
            for gateway in self.gateways:
                wait_until(lambda: gateway.fetch(path).body == b"new", "the purge is seen", 5)


class Embedded(Purges, Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.told = Told(cls.origin)
        cls.gateways = [stage.gateway(cls.origin, {"admin": {"token": TOKEN}, "server": {"workers": 2},
                                                   "cache": {"enabled": True, "flight_wait": "10m"}})]  # a request that joins a fetch that it must not join would hang


class Shared(Purges, Scene):
    NEAR = "16MiB"

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        cls.told = Told(cls.origin)
        config = {"admin": {"token": TOKEN}, "redis": {"url": cls.redis.url, "timeout": "10s"}, "server": {"workers": 2},
                  "cache": {"enabled": True, "near_bytes": cls.NEAR, "flight_wait": "200ms"}}
        cls.gateways = [stage.gateway(cls.origin, config) for _ in range(2)]
        for gateway in cls.gateways:
            gateway.wait_for_tracking()

    def test_a_purge_of_a_url_leaves_a_tombstone_on_both_of_its_keys(self):
        path, _ = self.told.path()
        before = set(self.redis.cli("KEYS", "gw:cache:*"))
        self.purged("url=http://%s%s" % (HOST, path))
        left = set(self.redis.cli("KEYS", "gw:cache:*")) - before
        self.assertEqual(len(left), 2)
        for key in left:
            self.assertGreater(self.redis.cli("PTTL", key), 60000)


class SharedWithoutNear(Shared):
    NEAR = 0


class Outage(Scene):
    """The gateway's answer, and the state that holds, if Redis does not acknowledge a purge."""

    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        cls.told = Told(cls.origin)
        config = {"admin": {"token": TOKEN}, "redis": {"url": cls.redis.url, "timeout": "200ms"}, "server": {"workers": 1}, "cache": {"enabled": True}}
        cls.gateways = [stage.gateway(cls.origin, config) for _ in range(2)]

    def setUp(self):
        self.wait_for_redis()

    def wait_for_redis(self):
        for gateway in self.gateways:
            gateway.wait_for_tracking()

    def tearDown(self):
        if self.redis.is_frozen:
            self.redis.thaw()
        super().tearDown()

    def purged_while_frozen(self, query):
        """Twice: once while Redis does not answer, and once while the gateway knows that it is away."""
        answers = []
        self.redis.freeze()
        answers.append(purge(self.gateways[0], query))
        wait_until(lambda: self.gateways[0].fetch("/gateway/health").json()["redis"] == "down", "it is known to be away")
        answers.append(purge(self.gateways[0], query))
        self.redis.thaw()
        for answer in answers:
            self.assertEqual((answer.status, answer.json()["everywhere"]), (202, False), answer)
        return [answer.json()["detail"] for answer in answers]

    def test_a_url_is_purged_here_and_elsewhere_when_redis_is_back(self):
        path, _ = self.told.path()
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch(path).field("X-Cache") == "HIT", "it is stored")
        self.told.values[path] = "new"
        for detail in self.purged_while_frozen("url=http://%s%s" % (HOST, path)):
            self.assertIn("sent again until Redis has it", detail)
        self.assertEqual(self.gateways[0].fetch(path).body, b"new")
        self.wait_for_redis()
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch(path).body == b"new", "the other has learnt of it")

    def test_a_prefix_is_purged_here_and_perhaps_nowhere_else(self):
        path, _ = self.told.path()
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch(path).field("X-Cache") == "HIT", "it is stored")
        self.told.values[path] = "new"
        for detail in self.purged_while_frozen("prefix=" + path):
            self.assertIn("is not sent again", detail)
        self.assertEqual(self.gateways[0].fetch(path).body, b"new")
        self.wait_for_redis()
        self.assertEqual(self.gateways[0].fetch(path).body, b"new", "what it does not know from Redis holds, too")

    def test_what_redis_refuses_is_not_everywhere(self):
        url, _ = self.told.path()
        prefix, _ = self.told.path()
        for path in (url, prefix):
            for gateway in self.gateways:
                wait_until(lambda: gateway.fetch(path).field("X-Cache") == "HIT", "it is stored")
            self.told.values[path] = "new"
        self.redis.cli("REPLICAOF", "127.0.0.1", "1")  # it reads, and writes nothing
        try:
            answers = [purge(self.gateways[0], query) for query in ("url=http://%s%s" % (HOST, url), "prefix=" + prefix)]
        finally:
            self.redis.cli("REPLICAOF", "NO", "ONE")
        self.assertEqual([(answer.status, answer.json()["everywhere"]) for answer in answers], [(202, False)] * 2)
        self.assertEqual(["is sent again" in answer.json()["detail"] for answer in answers], [True, False])
        self.assertEqual([self.gateways[0].fetch(path).body for path in (url, prefix)], [b"new", b"new"])
        wait_until(lambda: self.gateways[1].fetch(url).body == b"new", "the other has learnt of it")

    def test_a_client_that_leaves_does_not_stop_its_purge(self):
        for query, counter in (("tag=%(tag)s", "gateway_cache_bans_total"), ("url=http://%(host)s%(path)s", "gateway_cache_purges_total")):
            with self.subTest(query):
                path, tag = self.told.path()
                for gateway in self.gateways:
                    wait_until(lambda: gateway.fetch(path).field("X-Cache") == "HIT", "it is stored")
                self.told.values[path] = "new"
                before = self.gateways[0].metric(counter) or 0
                self.redis.freeze()
                with self.gateways[0].client() as client:
                    client.ask("POST", "/gateway/cache/purge?" + query % {"tag": tag, "path": path, "host": HOST}, [("Authorization", "Bearer " + TOKEN)])
                    wait_until(lambda: self.gateways[0].metric(counter) == before + 1, "the purge has begun")
                    client.reset()
                self.redis.thaw()
                for gateway in self.gateways:
                    wait_until(lambda: gateway.fetch(path).body == b"new", "it was purged")
                self.wait_for_redis()


class Rules(Scene):
    """Which requests may purge, and what counts as a purge."""

    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.told = Told(cls.origin)
        cls.gateway = stage.gateway(cls.origin, {"admin": {"token": TOKEN}, "cache": {"enabled": True}})

    def test_without_a_token_in_the_configuration_there_is_no_such_path(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"cache": {"enabled": True}})
            unknown = gateway.fetch("/gateway/cache/unknown", method="POST")
            for target in ("/gateway/cache/purge?all=1", "/gateway/cache/inspect?url=http://a/"):
                for fields in ([], [("Authorization", "Bearer ")], [("Authorization", "Bearer " + TOKEN)]):
                    answer = gateway.fetch(target, fields, "POST")
                    self.assert_error(answer, 404, "not_found")
                    self.assertEqual(sorted(answer.json()), sorted(unknown.json()))

    def test_a_client_without_the_token_is_told_nothing(self):
        wrong = ([], [("Authorization", "Bearer")], [("Authorization", "Bearer " + TOKEN[:-1])], [("Authorization", "Bearer %sx" % TOKEN)],
                 [("Authorization", "Basic " + TOKEN)], [("Authorization", "Bearer " + TOKEN)] * 2, [("X-Token", TOKEN)])
        path, _ = self.told.path()
        self.gateway.fetch(path)
        for target, method in (("/gateway/cache/purge?all=1", "POST"), ("/gateway/cache/purge", "GET"), ("/gateway/cache/inspect?nonsense", "GET")):
            for fields in wrong:
                with self.subTest(target, fields=fields):
                    answer = self.gateway.fetch(target, fields, method)
                    self.assert_error(answer, 401, "unauthorized")
                    self.assertEqual((answer.field("WWW-Authenticate"), answer.field("Cache-Control")), ("Bearer", "no-store"))
                    self.assertNotIn(TOKEN, repr(answer))
        self.assertEqual(self.gateway.fetch(path).field("X-Cache"), "HIT")

    def test_a_purge_is_a_post(self):
        for method in ("GET", "HEAD", "PUT", "DELETE", "PURGE"):
            with self.subTest(method):
                answer = purge(self.gateway, "all=1", method=method)
                self.assertEqual((answer.status, answer.field("Allow")), (405, "POST"))

    def test_what_is_no_purge_is_refused_by_name(self):
        for query, expected in (("", "exactly one of url, prefix, tag and all=1"), ("url=/a&tag=b", "parameter tag.*exactly one of"), ("uri=/a", "parameter uri"),
                                ("url=a", "parameter url.*http://host/path"), ("prefix=a", "parameter prefix"), ("all=1&soft=maybe", "parameter soft.*0 or 1"),
                                ("tag=%2", "percent|Bad|query"), ("tag=" + "x" * 2049, "2048")):
            with self.subTest(query[:40]):
                answer = purge(self.gateway, query)
                self.assertEqual(answer.status, 400, answer)
                if answer.json().get("error") != "malformed_request":
                    self.assert_error(answer, 400, "invalid_query")
                    self.assertRegex(answer.json()["detail"], expected)

    def test_a_purge_leaves_the_connection_open_and_takes_a_body(self):
        with self.gateway.client() as client:
            for body in (None, b"", b"ignored"):
                client.ask("POST", "/gateway/cache/purge?all=1", [("Authorization", "Bearer " + TOKEN)], body)
                answer = client.read()
                self.assertEqual((answer.status, answer.json()), (200, {"purged": {"all": True}, "soft": False, "everywhere": True}))

    def test_purges_are_counted_and_logged(self):
        def counts():
            return [self.gateway.metric(name) or 0 for name in ("gateway_cache_purges_total", "gateway_cache_bans_total")]
        before = counts()
        for query in ("url=http://%s/counted" % HOST, "url=/counted", "prefix=/counted", "tag=counted", "url=nonsense"):
            purge(self.gateway, query)
        self.assertEqual([after - earlier for after, earlier in zip(counts(), before)], [2, 2])
        self.assertEqual(len(re.findall(rb"purged for 127\.0\.0\.1, everywhere: [a-z]+=[^ \"]*counted", self.gateway.errors())), 4)
        self.assertNotIn(TOKEN.encode(), self.gateway.errors() + self.gateway.out())

    def test_it_is_where_the_admin_pages_are(self):
        port = Port()
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"admin": {"token": TOKEN, "listen": "127.0.0.1:%d" % port.number}, "cache": {"enabled": True}}, ready=False)
            gateway.wait_until_ready(port.number, "/gateway/health")
            self.assert_error(purge(gateway, "all=1"), 404, "not_found")
            answer = fetch(port.number, "/gateway/cache/purge?all=1", [("Authorization", "Bearer " + TOKEN)], "POST")
            self.assertEqual(answer.status, 200)
        port.release()

    def test_without_a_cache_there_is_nothing_to_purge(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"admin": {"token": TOKEN}})
            answer = purge(gateway, "all=1")
            self.assert_error(answer, 409, "cache_off")


class IgnoredQueries(Scene):
    """If the key leaves out some parameters, a purge leaves them out, too."""

    def test_a_purge_of_a_url_ends_what_its_key_holds(self):
        with Stage() as stage:
            origin = stage.origin()
            told = Told(origin)
            gateway = stage.gateway(origin, {"admin": {"token": TOKEN}, "cache": {"enabled": True, "ignore_query": ["utm_*"], "sort_query": True}})
            for where, soft in (("http://" + HOST, ""), ("http://" + HOST, "&soft=1"), ("", ""), ("", "&soft=1")):
                with self.subTest(where=where, soft=soft):
                    path, _ = told.path()
                    gateway.fetch(path + "?utm_source=x&a=2&b=1")
                    self.assertEqual(gateway.fetch(path + "?b=1&a=2").field("X-Cache"), "HIT")
                    self.assertEqual(purge(gateway, "url=" + quote("%s%s?b=1&a=2&utm_x=z" % (where, path)) + soft).status, 200)
                    self.assertNotEqual(gateway.fetch(path + "?b=1&a=2").field("X-Cache"), "HIT")


if __name__ == "__main__":
    main()
