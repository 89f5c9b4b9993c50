"""The cache as clients see it: HIT, MISS and BYPASS, and what RFC 9111 forbids a shared cache."""
import email.utils
import time

from stage import Scene, Stage, Truncated, main, reply, wait_until

FRESH = [("Cache-Control", "max-age=60")]


class TheCache(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"workers": 2}, "cache": {"enabled": True, "credential_fields": ["X-Api-Key"]}})
        cls.number = 0

    def path(self):
        """A URL that was never asked for."""
        type(self).number += 1
        return "/%s/%d" % (self._testMethodName, self.number)

    def ask(self, path, fields=(), **more):
        return self.gateway.fetch(path, fields, **more)

    def cache_says(self, path, fields=(), **more):
        return self.ask(path, fields, **more).field("X-Cache")

    def test_misses_once_and_then_hits_with_age(self):
        path = self.path()
        self.origin.on(path, fields=[("X-Custom", "a"), ("X-Custom", "b"), ("Content-Type", "a/b")], body=b"[1]")
        first = self.ask(path)
        self.assertEqual((first.status, first.field("X-Cache"), first.has("Age")), (200, "MISS", False))
        second = self.ask(path)
        self.assertEqual((second.status, second.field("X-Cache"), second.body), (200, "HIT", b"[1]"))
        self.assertRegex(second.field("Age"), r"^\d+$")
        self.assertEqual(second.field("X-Cache-Age"), second.field("Age"))
        self.assertEqual((second.all("X-Custom"), second.field("Content-Type")), (["a", "b"], "a/b"))
        self.assertEqual(second.field("Content-Length"), "3")
        self.assertNotEqual(first.field("X-Request-Id"), second.field("X-Request-Id"))
        self.assertEqual(self.origin.count(path), 1)

    def test_keeps_the_reason_phrase(self):
        for status, reason, kept in ((200, "Fine \xe4 so far", None), (404, "Nicht da", None), (200, "", None), (200, "x" * 300, "x" * 256)):
            with self.subTest(status, reason=reason):
                path = self.path()
                self.origin.on(path, status=status, reason=reason, fields=FRESH + [("ETag", '"1"')], body=b"0123456789")
                answers = [self.ask(path) for _ in range(2)]
                self.assertEqual([(answer.reason, answer.field("X-Cache")) for answer in answers], [(reason if kept is None else kept, says) for says in ("MISS", "HIT")])
                if status == 200:  # statuses that the gateway makes itself have tests of their own
                    self.assertEqual(self.ask(path, [("Range", "bytes=0-1")]).start, "HTTP/1.1 206 Partial Content")
                    self.assertEqual(self.ask(path, [("If-None-Match", '"1"')]).start, "HTTP/1.1 304 Not Modified")

    def test_keeps_the_reason_phrase_of_a_complete_part_that_is_not_stored(self):
        path = self.path()
        self.origin.on(path, status=206, reason="Just All", fields=[("Cache-Control", "private"), ("Content-Range", "bytes 0-9/10")], body=b"0123456789")
        self.assertEqual(self.ask(path, [("Range", "bytes=0-")]).start, "HTTP/1.1 206 Just All")

    def test_keeps_the_reason_phrase_of_what_is_confirmed(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(304 if call.request.has("If-None-Match") else 200, fields=[("Cache-Control", "no-cache"), ("ETag", '"1"')],
                                                       reason="Not Now" if call.request.has("If-None-Match") else "As It Was", body=b""))
        self.assertEqual([(answer.reason, answer.field("X-Cache")) for answer in (self.ask(path), self.ask(path))], [("As It Was", "MISS"), ("As It Was", "REVALIDATED")])

    def test_tells_the_bytes_that_no_backend_was_asked_for(self):
        path, private = self.path(), self.path()
        self.origin.on(path, fields=FRESH + [("ETag", '"a"')], body=b"x" * 1000)
        self.origin.on(private, fields=[("Cache-Control", "private")], body=b"x" * 1000)
        last = [self.gateway.metric_sum("gateway_cache_saved_bytes_total")]
        for target, method, fields, status, saved in (
            (path, "GET", [], 200, 0),  # a miss
            (path, "GET", [], 200, 1000),
            (path, "GET", [("Range", "bytes=0-99")], 206, 100),
            (path, "HEAD", [], 200, 0),
            (path, "GET", [("If-None-Match", '"a"')], 304, 0),
            (private, "GET", [], 200, 0),
            (private, "GET", [], 200, 0),
        ):
            with self.subTest(target=target, method=method, fields=fields):
                self.assertEqual(self.ask(target, fields, method=method).status, status)
                last.append(last[-1] + saved)
                wait_until(lambda: self.gateway.metric_sum("gateway_cache_saved_bytes_total") == last[-1], "%d bytes are counted" % last[-1])

    def test_confirms_what_has_many_fields(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(304 if call.request.has("If-None-Match") else 200, fields=[("Cache-Control", "no-cache"), ("ETag", '"1"')] + [("X-A", "a")] * 300))
        self.assertEqual([(answer.field("X-Cache"), len(answer.all("X-A"))) for answer in (self.ask(path), self.ask(path))], [("MISS", 300), ("REVALIDATED", 300)])

    def test_age_grows(self):
        path = self.path()
        self.origin.on(path, fields=[("Cache-Control", "max-age=600"), ("Age", "100")])
        self.ask(path)
        age = int(self.ask(path).field("Age"))
        self.assertGreaterEqual(age, 100)
        wait_until(lambda: int(self.ask(path).field("Age")) > age, "a second passed")

    def test_keeps_queries_apart(self):
        path = self.path()
        for target in (path, path + "?", path + "?a", path + "?b", path + "?a=1&b=2", path + "?b=2&a=1"):
            with self.subTest(target):
                self.assertEqual(self.cache_says(target), "MISS")
        self.assertEqual(self.cache_says(path + "?a"), "HIT")

    def test_keys_what_browsers_leave_raw_as_it_came(self):
        path = self.path() + "[a]{b}|^`"
        spellings = [path + query for query in ("?f[x]=1", "?f%5Bx%5D=1", "?f[x]=%", "?f[x]=%25", "?\xe4", "?%E4", "?\\", "?%5C")]
        for target in spellings + [path.replace("[", "%5B")]:
            with self.subTest(target):
                self.assertEqual((self.cache_says(target), self.cache_says(target)), ("MISS", "HIT"))
        self.ask(spellings[0], method="POST")
        self.assertEqual([self.cache_says(target) for target in spellings], ["MISS"] + ["HIT"] * 7)

    def test_ends_what_a_location_names_raw(self):
        path, other = self.path(), self.path() + "[1]?f[x]={y}|%\xe4"
        self.cache_says(other)
        self.origin.on(path, status=201, fields=[("Location", other)])
        self.assertEqual(self.cache_says(other), "HIT")
        self.ask(path, method="POST")
        self.assertEqual(self.cache_says(other), "MISS")

    def test_ends_what_is_stored_after_methods_that_are_not_known_to_be_safe(self):
        for method, says in (("BREW", "MISS"), ("get", "MISS"), ("QUERY", "HIT"), ("PROPFIND", "HIT")):
            with self.subTest(method):
                path = self.path()
                self.ask(path)
                asked = [self.ask(path, method=method, body=b"q") for _ in range(2)]
                self.assertEqual([answer.field("X-Cache") for answer in asked], ["BYPASS"] * 2)
                self.assertEqual(self.cache_says(path), says)

    def test_stores_a_chunked_answer(self):
        path = self.path()
        self.origin.on(path, fields=FRESH, body=[b"one", b"two"], chunked=True)
        self.assertEqual((self.ask(path).body, self.cache_says(path)), (b"onetwo", "HIT"))
        self.assertEqual(self.ask(path).body, b"onetwo")

    def test_does_not_store_what_it_must_not(self):
        past = email.utils.formatdate(time.time() - 60, usegmt=True)
        for name, status, fields in (
            ("no-store", 200, [("Cache-Control", "no-store")]),
            ("no-store among others", 200, [("Cache-Control", 'max-age=60, ext="a,b" , NO-STORE')]),
            ("private", 200, [("Cache-Control", "private, max-age=60")]),
            ("no-cache", 200, [("Cache-Control", "no-cache, max-age=60")]),
            ("max-age=0", 200, [("Cache-Control", "max-age=0")]),
            ("s-maxage=0", 200, [("Cache-Control", "max-age=60, s-maxage=0")]),
            ("invalid max-age", 200, [("Cache-Control", "max-age=sixty")]),
            ("max-age twice", 200, [("Cache-Control", "max-age=60, max-age=0")]),
            ("Expires in the past", 200, [("Expires", past)]),
            ("Expires: 0", 200, [("Expires", "0")]),
            ("older than fresh", 200, [("Cache-Control", "max-age=60"), ("Age", "61")]),
            ("Set-Cookie", 200, [("Cache-Control", "max-age=60"), ("Set-Cookie", "a=b")]),
            ("Set-Cookie alone", 200, [("Set-Cookie", "a=b")]),
            ("Vary: *", 200, [("Cache-Control", "max-age=60"), ("Vary", "*")]),
            ("a status that says nothing", 201, []),
            ("404 without freshness", 404, []),  # RFC 9110 allows storing it; a 404 that stays for five minutes would surprise
            ("302 without freshness", 302, [("Location", "/x")]),
            ("500", 500, []),
            ("503", 503, []),
            ("partial content", 206, [("Cache-Control", "max-age=60"), ("Content-Range", "bytes 0-0/3")]),
        ):
            with self.subTest(name):
                path = self.path()
                self.origin.on(path, status=status, fields=fields, body=b"x")
                self.assertEqual([self.cache_says(path) in ("MISS", "BYPASS") for _ in range(3)], [True] * 3)
                self.assertEqual(self.origin.count(path), 3)

    def test_stores_what_it_may(self):
        future = email.utils.formatdate(time.time() + 60, usegmt=True)
        now = email.utils.formatdate(time.time(), usegmt=True)
        for name, status, fields in (
            ("max-age", 200, FRESH),
            ("s-maxage over max-age", 200, [("Cache-Control", "max-age=0, s-maxage=60")]),
            ("Expires", 200, [("Date", now), ("Expires", future)]),
            ("max-age over Expires", 200, [("Cache-Control", "max-age=60"), ("Expires", "0")]),
            ("nothing said", 200, []),
            ("404 with freshness", 404, FRESH),
            ("301", 301, [("Location", "/x")]),
            ("410", 410, []),
            ("302 with freshness", 302, FRESH + [("Location", "/x")]),
            ("public", 200, [("Cache-Control", "public")]),
        ):
            with self.subTest(name):
                path = self.path()
                self.origin.on(path, status=status, fields=fields, body=b"x")
                self.assertEqual([self.cache_says(path) for _ in range(2)], ["MISS", "HIT"])
                self.assertEqual(self.ask(path).status, status)
                self.assertEqual(self.origin.count(path), 1)

    def test_leaks_no_answer_to_a_credential(self):
        for name, request, fields, expected in (
            ("Authorization", [("Authorization", "Basic eDp5")], FRESH, False),
            ("Authorization, nothing said", [("Authorization", "Basic eDp5")], [], False),
            ("Authorization and public", [("Authorization", "Basic eDp5")], [("Cache-Control", "public, max-age=60")], True),
            ("Authorization and s-maxage", [("Authorization", "Basic eDp5")], [("Cache-Control", "s-maxage=60")], True),
            ("Cookie, nothing said", [("Cookie", "a=b")], [], False),
            ("Cookie and max-age", [("Cookie", "a=b")], FRESH, True),
            ("a configured field, nothing said", [("X-Api-Key", "k")], [], False),
            ("a configured field and max-age", [("X-Api-Key", "k")], FRESH, True),
        ):
            with self.subTest(name):
                path = self.path()
                self.origin.on(path, fields=fields, body=b"mine")
                self.ask(path, request)
                self.assertEqual(self.cache_says(path) == "HIT", expected)

    def test_serves_no_request_that_forbids_it(self):
        path = self.path()
        self.origin.on(path, fields=FRESH)
        self.ask(path)
        for fields in ([("Cache-Control", "no-cache")], [("Cache-Control", "no-store")], [("Pragma", "no-cache")], [("Cache-Control", "max-age=0")]):
            with self.subTest(fields):
                self.assertIn(self.cache_says(path, fields), ("BYPASS", "MISS"))
        self.assertEqual(self.cache_says(path), "HIT")
        fresh = self.path()
        self.ask(fresh, [("Cache-Control", "no-store")])
        self.assertEqual(self.cache_says(fresh), "MISS")

    def test_renews_by_a_request_with_no_cache(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(fields=FRESH, body=b"%d" % call.number))
        self.assertEqual([self.ask(path).body, self.ask(path, [("Cache-Control", "no-cache")]).body, self.ask(path).body], [b"1", b"2", b"2"])

    def test_answers_only_if_cached(self):  # RFC 9111 §5.2.1.7
        path = self.path()
        self.origin.on(path, fields=FRESH)
        self.assertEqual(self.ask(path, [("Cache-Control", "only-if-cached")]).status, 504)
        self.assertEqual(self.origin.count(path), 0)
        self.ask(path)
        self.assertEqual(self.cache_says(path, [("Cache-Control", "only-if-cached")]), "HIT")

    def test_never_mixes_variants(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(fields=FRESH + [("Vary", "Accept-Language, X-Side")], body=", ".join(call.request.all("Accept-Language")).encode()))
        for _ in range(3):
            for language in ("de", "fr", None):
                answer = self.ask(path, [("Accept-Language", language)] if language else [])
                self.assertEqual(answer.body.decode(), language or "")

    def test_answers_head_from_a_stored_get(self):
        path = self.path()
        self.origin.on(path, fields=FRESH, body=b"x" * 777)
        self.ask(path)
        head = self.ask(path, method="HEAD")
        self.assertEqual((head.field("X-Cache"), head.field("Content-Length"), head.body), ("HIT", "777", b""))
        self.assertEqual(self.origin.count(path), 1)

    def test_does_not_store_an_answer_to_head(self):
        path = self.path()
        self.origin.on(path, fields=FRESH, body=b"x")
        self.ask(path, method="HEAD")
        self.assertEqual(self.ask(path).body, b"x")
        self.assertEqual([request.method for request in self.origin.seen(path)], ["HEAD", "GET"])

    def test_answers_conditionals_itself(self):
        path = self.path()
        changed = email.utils.formatdate(time.time() - 1000, usegmt=True)
        self.origin.on(path, fields=FRESH + [("ETag", '"v1"'), ("Last-Modified", changed)], body=b"x")
        self.ask(path)
        for fields, status in (
            ([("If-None-Match", '"v1"')], 304), ([("If-None-Match", 'W/"v1"')], 304), ([("If-None-Match", '"v0", "v1"')], 304), ([("If-None-Match", "*")], 304),
            ([("If-None-Match", '"v2"')], 200), ([("If-Modified-Since", changed)], 304),
            ([("If-Modified-Since", email.utils.formatdate(time.time() - 2000, usegmt=True))], 200),
            ([("If-None-Match", '"v2"'), ("If-Modified-Since", changed)], 200),  # RFC 9110 §13.2.2: If-None-Match decides
        ):
            with self.subTest(fields):
                answer = self.ask(path, fields)
                self.assertEqual((answer.status, answer.field("X-Cache"), answer.field("ETag")), (status, "HIT", '"v1"'))
                self.assertEqual(answer.body, b"x" if status == 200 else b"")
        self.assertEqual(self.origin.count(path), 1)

    def test_fetches_whole_what_a_conditional_asks_for(self):
        path = self.path()

        def say(call):
            if call.request.has("If-None-Match"):
                call.respond(status=304, fields=[("ETag", '"v1"')])
            else:
                call.respond(fields=FRESH + [("ETag", '"v1"')], body=b"whole")
        self.origin.on(path, say)
        self.assertEqual(self.ask(path, [("If-None-Match", '"v1"')]).status, 304)
        self.assertEqual(self.ask(path).body, b"whole")

    def test_answers_ranges_rightly(self):
        path = self.path()
        self.origin.on(path, fields=FRESH, body=b"0123456789")
        answer = self.ask(path, [("Range", "bytes=2-4")])
        self.assertIn((answer.status, answer.body), ((200, b"0123456789"), (206, b"234")))
        self.ask(path)
        answer = self.ask(path, [("Range", "bytes=2-4")])
        self.assertIn((answer.status, answer.body), ((200, b"0123456789"), (206, b"234")))

    def test_neither_stores_nor_answers_other_methods(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(fields=FRESH, body=call.request.method.encode()))
        self.ask(path)
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            with self.subTest(method):
                answer = self.ask(path, method=method)
                self.assertEqual(answer.body, method.encode())
                self.assertIn(answer.field("X-Cache"), (None, "BYPASS"))

    def test_forgets_what_an_unsafe_method_changed(self):  # RFC 9111 §4.4
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method):
                path = self.path()
                self.origin.on(path, fields=FRESH)
                self.assertEqual([self.cache_says(path), self.cache_says(path)], ["MISS", "HIT"])
                self.ask(path, method=method)
                self.assertEqual(self.cache_says(path), "MISS")

    def test_keeps_what_a_failed_unsafe_method_did_not_change(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(status=200 if call.request.method == "GET" else 422, fields=FRESH))
        self.ask(path)
        self.ask(path, method="POST", body=b"x")
        self.assertEqual(self.cache_says(path), "HIT")

    def test_stores_no_body_that_did_not_end(self):
        for data in (reply(fields=FRESH + [("Content-Length", "9")]) + b"abc", reply(fields=FRESH, chunked=True)[:-5] + b"3\r\nabc\r\n"):
            with self.subTest(data):
                path = self.path()

                def say(call, data=data):
                    if call.number == 1:
                        call.send(data)
                        call.close()
                    call.respond(fields=FRESH, body=b"complete!")
                self.origin.on(path, say)
                try:
                    self.assertEqual(self.ask(path).status, 502)
                except Truncated:
                    pass
                self.assertEqual(self.ask(path).body, b"complete!")

    def test_stores_no_field_of_one_connection_or_request(self):
        path = self.path()
        self.origin.on(path, fields=FRESH + [("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("RateLimit", '"theirs";r=1;t=1'), ("X-Cache", "theirs")])
        self.ask(path)
        answer = self.ask(path)
        self.assertEqual(answer.all("X-Cache"), ["HIT"])
        for name in ("X-Hop", "Keep-Alive", "RateLimit"):
            self.assertFalse(answer.has(name), name)

    def test_tells_its_status_behind_those_that_can_be_read(self):  # RFC 9211 §2, RFC 9651 §4.2
        for lines, kept in ((["ExampleCache; hit; ttl=5"], True), (['"cdn, too"; fwd=miss;detail="x"', "other"], True), (["x,,y"], False), (["hit from cache"], False),
                            (["HIT (1)"], False), (["other", ""], False), (["visara; hit"], False), (['other, "visara"; fwd=miss'], False), (["1;hit"], False), (["(a b)"], False)):
            for cache_control in ("max-age=60", "no-store"):
                with self.subTest(lines=lines, cache_control=cache_control):
                    path = self.path()
                    self.origin.on(path, fields=[("Cache-Control", cache_control)] + [("Cache-Status", line) for line in lines])
                    for _ in range(2):
                        told = self.ask(path).all("Cache-Status")
                        self.assertEqual(told[:-1], lines if kept else [])
                        self.assertTrue(told[-1].startswith("visara;"))

    def test_never_holds_the_gateways_own_pages(self):
        for _ in range(2):
            self.assertIn(self.ask("/gateway/stats").field("X-Cache"), (None, "BYPASS"))

    def test_is_not_poisoned_by_side_fields(self):
        path = self.path()
        self.origin.on(path, lambda call: call.respond(fields=FRESH, body=("%s %s" % (call.request.field("X-Forwarded-Host"), call.request.field("X-Original-URL"))).encode()))
        first = self.ask(path, [("X-Forwarded-Host", "evil.test"), ("X-Original-URL", "/evil")])
        self.assertNotIn(b"evil", first.body)
        self.assertNotIn(b"evil", self.ask(path).body)


class OneUsersAnswer(Scene):
    """The backend says nothing about freshness, and answers by the request's credential: no client gets another's answer."""
    NAMES = (
        "X-Api-Key", "api-key", "apikey", "api_key", "Key", "X-Functions-Key", "Ocp-Apim-Subscription-Key", "X-Goog-Api-Key", "X-RapidAPI-Key",
        "X-Auth-Token", "X-Access-Token", "access_token", "Private-Token", "Job-Token", "Token", "X-Vault-Token", "X-CSRF-Token", "X-XSRF-TOKEN", "X-Amz-Security-Token",
        "X-Session", "X-Session-Id", "X-Session-Token", "Session", "sessionid", "X-Authorization", "X-Forwarded-Authorization", "X-Serverless-Authorization", "X-Auth", "Authentication",
        "X-Client-Secret", "X-JWT-Assertion", "X-Goog-Iap-Jwt-Assertion", "X-Goog-Authenticated-User-Email", "Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email",
        "CF-Access-Client-Id", "X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken", "X-MS-Client-Principal", "X-MS-Client-Principal-Name", "X-MS-Token-AAD-Id-Token",
        "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Auth-Request-User", "X-Auth-Request-Email",
        "Remote-User", "Remote-Groups", "X-Remote-User", "X-Authenticated-User", "X-Authentik-Username", "X-Webauth-User", "Tailscale-User-Login", "X-User", "X-User-Id", "X-Username",
        "X-Userinfo", "SM_USER", "iv-user", "OIDC_CLAIM_email", "X-Consumer-Username", "X-Credential-Identifier", "X-Hasura-User-Id", "Impersonate-User", "X-Scope-OrgID",
        "X-Rh-Identity", "X-Forwarded-Client-Cert", "Client-Cert", "X-SSL-Client-S-DN", "X-Amzn-Mtls-Clientcert-Subject", "X-ARR-ClientCert", "DPoP", "X-WSSE", "Signature", "Proxy-Authorization",
        "X-Client-DN", "X-ClientCert-DN", "X-Client-CN", "X-Tls-Client-Subject", "Cf-Client-Cert-Sha256", "X-Passcode", "X-Passphrase", "X-Pin", "X-OTP", "X-Ticket", "X-Bearer", "X-Cookie",
        "X-SID", "sid", "X-UID", "uid", "X-Sub", "X-Subject", "X-Login", "X-Claims", "X-User-Claims", "X-Scopes", "X-Role", "X-User-Role", "X-Actor", "X-Act-As", "On-Behalf-Of", "Sudo",
        "X-Api-User", "X-Device-Id", "X-Member-Id", "X-IBM-Client-Id", "Client-ID", "X-Parse-Application-Id", "X-App-Id", "app_id", "X-Org-Id", "OpenAI-Organization", "X-Workspace-Id", "X-Project-Id",
        "X-Honeycomb-Team", "X-Cognito-Sub", "MELLON_email", "eppn", "X-Kratos-Authenticated-Identity-Id",
    )

    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"cache": {"enabled": True}, "server": {"trusted_proxies": ["127.0.0.0/8"]}})
        cls.limited = stage.gateway(cls.origin, {"cache": {"enabled": True, "credential_fields": ["X-Mine"]}, "limits": {"enabled": True, "policies": [{"name": "by-key", "rate": "1000/s", "burst": 1000, "by": "header:X-Plan"}]}})
        cls.ignoring = stage.gateway(cls.origin, {"cache": {"enabled": True, "ignore_query": ["*"]}})

    def assert_kept_apart(self, gateway, name, path):
        self.origin.on(path, lambda call: call.respond(body=("%s's" % (call.request.field(name) or "nobody")).encode()))
        # A proxy's own credential ends here (RFC 9110 §11.7.2): backends do not see it, so all requests get the same answer.
        hides = name.lower() == "proxy-authorization"
        for user in ("alice", "bob", None, "alice"):
            answer = gateway.fetch(path, [(name, user)] if user else [])
            self.assertEqual(answer.body, b"nobody's" if hides else ("%s's" % (user or "nobody")).encode(), (name, user))

    def test_is_not_the_next_ones(self):
        for name in self.NAMES:
            with self.subTest(name):
                self.assert_kept_apart(self.gateway, name, "/apart/%s" % name)
                self.assert_kept_apart(self.gateway, name.upper(), "/upper/%s" % name)

    def test_is_shared_where_the_backend_says_so(self):  # as with Cookie
        self.origin.on("/said", fields=FRESH, body=b"all's")
        self.assertEqual([self.gateway.fetch("/said", [("X-Api-Key", user)]).field("X-Cache") for user in ("alice", "bob")], ["MISS", "HIT"])

    def test_what_browsers_send_to_all_is_no_credential(self):
        browser = [("User-Agent", "Mozilla/5.0"), ("Accept", "*/*"), ("Accept-Language", "en"), ("Accept-Encoding", "gzip"), ("Sec-Fetch-User", "?1"), ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"),
                   ("Sec-Fetch-Dest", "document"), ("Sec-Ch-Ua", '"Chromium"'), ("Sec-Ch-Ua-Mobile", "?0"), ("Sec-Ch-Ua-Platform", '"Linux"'), ("Upgrade-Insecure-Requests", "1"), ("DNT", "1"), ("Sec-GPC", "1"),
                   ("Priority", "u=0, i"), ("Referer", "http://a/"), ("Origin", "http://a"), ("Save-Data", "on"), ("X-Requested-With", "XMLHttpRequest"), ("X-User-Agent", "grpc-web"), ("X-Api-Version", "2"),
                   ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("X-Amzn-Trace-Id", "Root=1"), ("X-Request-Id", "abcdefgh"), ("X-Correlation-Id", "1"), ("CDN-Loop", "a"), ("Cf-Ray", "1"),
                   ("X-Correlation-UUID", "1"), ("X-Trace-GUID", "1"), ("X-App-Version", "1"), ("X-Device-Type", "tv"), ("X-Amz-Cf-Id", "1"), ("X-B3-TraceId", "1"), ("sentry-trace", "1"), ("X-Cache-Bypass", "1"), ("Last-Event-ID", "1")]
        self.assertEqual([self.gateway.fetch("/browser", browser).field("X-Cache") for _ in range(2)], ["MISS", "HIT"])

    def test_a_field_that_a_limit_goes_by_is_a_credential_beside_any_list(self):
        for name in ("X-Plan", "x-plan", "X-Mine"):
            self.assert_kept_apart(self.limited, name, "/limited/%s" % name)
        self.assertEqual([self.limited.fetch("/by-hand", [("X-Api-Key", "k")]).field("X-Cache") for _ in range(2)], ["MISS", "HIT"])

    def test_a_key_in_the_query_is_part_of_the_key(self):
        self.origin.on("/query", lambda call: call.respond(body=call.request.target.encode()))
        for gateway in (self.gateway, self.ignoring):
            for target in ("/query?api_key=alice", "/query?api_key=bob", "/query", "/query?access_token=bob", "/query?api%5Fkey=bob", "/query?token=bob"):
                self.assertEqual(gateway.fetch(target).body, target.encode())
        self.assertEqual(self.ignoring.fetch("/query?page=1").body, b"/query")


class TheCachesBounds(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"cache": {"enabled": True, "default_ttl": "1s", "max_object_bytes": 10000, "near_bytes": 200000}})

    def test_an_answer_ends_being_fresh(self):
        self.gateway.fetch("/short")
        self.assertEqual(self.gateway.fetch("/short").field("X-Cache"), "HIT")
        wait_until(lambda: self.gateway.fetch("/short").field("X-Cache") == "MISS", "its second is over")

    def test_what_is_too_large_is_not_stored(self):
        self.origin.on("/large", fields=FRESH, body=b"x" * 10001)
        self.origin.on("/large-pieces", fields=FRESH, body=[b"x" * 5000] * 3, chunked=True)
        for target in ("/large", "/large-pieces"):
            self.assertEqual([self.gateway.fetch(target).field("X-Cache") == "HIT" for _ in range(3)], [False] * 3)
        self.assertEqual(len(self.gateway.fetch("/large-pieces").body), 15000)

    def test_memory_is_bounded(self):
        self.origin.on("/many", lambda call: call.respond(fields=FRESH, body=b"x" * 9000))
        with self.gateway.client() as client:
            for number in range(300):
                self.assertEqual(client.get("/many?%d" % number).status, 200)
        self.assertLessEqual(self.gateway.metric_sum("gateway_cache_bytes"), 200000)

    def test_a_304_to_a_part_that_is_asked_for_after_the_whole_confirms_nothing(self):
        self.origin.on("/private", lambda call: call.respond(304 if call.request.has("Range") else 200, fields=[("Cache-Control", "private")], body=b""))
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"cache": {"enabled": True, "fetch_whole_for_range": True}})
            self.assertEqual(gateway.fetch("/private", [("Range", "bytes=0-1")]).status, 502)
            self.assertEqual(gateway.fetch("/").status, 200)

    def test_a_route_may_be_left_out(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"cache": {"enabled": True}, "routes": [{"name": "live", "path": "/live", "cache": False}]})
            self.assertIn(gateway.fetch("/live").field("X-Cache"), (None, "BYPASS"))
            self.assertIn(gateway.fetch("/live").field("X-Cache"), (None, "BYPASS"))
            self.assertEqual([gateway.fetch("/kept").field("X-Cache") for _ in range(2)], ["MISS", "HIT"])


if __name__ == "__main__":
    main()
