"""The request as the backend gets it, and the answer as the client gets it."""
import hashlib
import random

from stage import Scene, Stage, main, reply

TRUSTED = "127.0.0.2"  # an address of this machine that the gateway trusts
SIDE_FIELDS = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server",
               "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Real-IP", "Forwarded", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL",
               "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Host", "X-HTTP-Host-Override", "Proxy",
               "Front-End-Https", "X-Envoy-Original-Path", "X-Original-URI", "X-URL-Scheme")
SIZES = (0, 1, 1000, 16384, 65536, 1000003)


def some_bytes(count):
    return random.Random(count).randbytes(count)


class ARequest(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"trusted_proxies": [TRUSTED + "/32"]}, "cors": {"enabled": False}})

    def test_keeps_its_method(self):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE", "QUERY", "REFRESH", "BREW", "get", "Post", "DESCRIBE", "SOURCE", "PRI", "M-SEARCH",
                       "!#$%&'*+-.^_`|~09az", "X" * 1000):
            for body in (None, b"", b"x" * 100000):
                if body and method == "TRACE":
                    continue
                with self.subTest(method, body=body and len(body)):
                    self.assertEqual(self.gateway.fetch("/methods", method=method, body=body).status, 200)
                    seen = self.origin.last("/methods")
                    self.assertEqual((seen.method, seen.body), (method, body or b""))
        self.assertEqual(self.gateway.metric_sum("gateway_responses_total", method="_OTHER") % 3, 0)
        self.assertEqual(self.gateway.metric_sum("gateway_responses_total", method="BREW"), 0)
        self.assertEqual(self.gateway.access_log(path="/methods")[-1]["method"], "X" * 64)

    def test_of_an_unknown_method_keeps_the_connection(self):
        with self.gateway.client() as client:
            for method in ("QUERY", "BREW", "get"):
                client.ask(method, "/methods", body=[b"a", b"b"], chunked=True)
                self.assertEqual(client.read().body, b"origin")
                self.assertEqual(self.origin.last("/methods").body, b"ab")

    def test_keeps_its_target(self):
        for target in ("/", "/a%2Fb?x=%20&y=1", "/a//b/./c", "/?", "/a?b?c/d", "/a;b=c,d@e:f!$&'()*+=~", "/%E2%82%AC", "/a?filter[name]=x", "/a?match[]=up", "/a?q={x|y}^`\\z'",
                       "/a?100%", "/a?%&%z=%2", "/a?\xc3\xa4\x80\xff", "/[a]{b}|^`/c", "/..[a]/../{b}", "//a[b]", "/%00", "/a;{p}=[q]"):
            with self.subTest(target):
                self.assertEqual(self.gateway.fetch(target).status, 200)
                self.assertEqual(self.origin.last().target, target)

    def test_in_absolute_form_is_forwarded_in_origin_form(self):  # RFC 9112 §3.2.2
        self.assertEqual(self.gateway.fetch("http://gateway.test/absolute?x=1").status, 200)
        self.assertEqual(self.origin.last("/absolute").target, "/absolute?x=1")
        self.assertEqual(self.gateway.fetch("http://gateway.test/absolute?x[]={1}%\xe9\\").status, 200)
        self.assertEqual(self.origin.last("/absolute").target, "/absolute?x[]={1}%\xe9\\")

    def test_options_asterisk_is_forwarded_as_it_is(self):  # RFC 9112 §3.2.4
        self.assertEqual(self.gateway.fetch("*", method="OPTIONS").status, 200)
        self.assertEqual(self.origin.last("*").method, "OPTIONS")

    def test_keeps_its_body_in_both_framings(self):
        for size in SIZES:
            body = some_bytes(size)
            for chunked in (False, True):
                with self.subTest(size=size, chunked=chunked):
                    pieces = [body[at:at + 9973] for at in range(0, size, 9973)] if chunked else body
                    self.assertEqual(self.gateway.fetch("/body", method="POST", body=pieces, chunked=chunked).status, 200)
                    seen = self.origin.last("/body")
                    self.assertEqual(hashlib.sha256(seen.body).digest(), hashlib.sha256(body).digest())
                    if not chunked:
                        self.assertEqual(seen.field("Content-Length"), str(size))

    def test_get_without_body_has_no_framing_fields(self):
        self.gateway.fetch("/bare")
        self.assertFalse(self.origin.last("/bare").has("Content-Length"))
        self.assertFalse(self.origin.last("/bare").has("Transfer-Encoding"))

    def test_is_announced_by_via_and_forwarded_fields(self):  # RFC 9110 §7.6.3
        self.gateway.fetch("/announced", host="shop.test:81")
        seen = self.origin.last("/announced")
        self.assertRegex(seen.field("Via"), r"^1\.1 \S+$")
        self.assertEqual(seen.field("X-Forwarded-For"), "127.0.0.1")
        self.assertEqual(seen.field("X-Forwarded-Proto"), "http")
        self.assertEqual(seen.field("X-Forwarded-Host"), "shop.test:81")
        self.assertEqual(seen.field("Host"), "shop.test:81")

    def test_appends_to_via(self):
        self.gateway.fetch("/via", [("Via", "1.0 inner")])
        self.assertRegex(", ".join(self.origin.last("/via").all("Via")), r"^1\.0 inner, 1\.1 \S+$")

    def test_keeps_end_to_end_fields_in_their_order(self):
        fields = [("X-Custom", "one"), ("Accept", "a/b"), ("X-Custom", "two, three"), ("Authorization", "Basic eDp5"), ("Cookie", "a=b; c=d"), ("x-lower", ""),
                  ("X-Bytes", "caf\xe9 \ttab")]
        self.gateway.fetch("/fields", fields)
        seen = self.origin.last("/fields")
        for name in {name for name, _ in fields}:
            self.assertEqual(seen.all(name), [value for key, value in fields if key == name])

    def test_loses_its_hop_by_hop_fields(self):  # RFC 9110 §7.6.1
        self.gateway.fetch("/hops", [("Connection", "X-Secret, keep-alive"), ("X-Secret", "1"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"),
                                     ("Proxy-Authorization", "Basic eDp5"), ("Proxy-Connection", "keep-alive"), ("Upgrade", "foo/2"), ("X-Kept", "1")])
        seen = self.origin.last("/hops")
        for name in ("X-Secret", "Keep-Alive", "TE", "Proxy-Authorization", "Proxy-Connection", "Upgrade"):
            self.assertFalse(seen.has(name), "%s: %r" % (name, seen.fields))
        self.assertNotIn("x-secret", ", ".join(seen.all("Connection")).lower())
        self.assertEqual(seen.field("X-Kept"), "1")

    def test_cannot_lose_what_the_backend_decides_by_by_naming_it_in_connection(self):
        fields = [("Cookie", "a=1"), ("Authorization", "Basic eDp5"), ("Date", "Mon, 30 Nov 2026 10:00:00 GMT"), ("Cache-Control", "no-transform"), ("Range", "bytes=0-1"),
                  ("Origin", "http://a.test"), ("If-Match", "\"1\""), ("Content-Type", "text/plain"), ("Accept-Encoding", "gzip")]
        ours = ["Host", "Content-Length", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Request-Id", "Via"]
        named = [name for name, _ in fields] + ours + ["Connection", "close", "keep-alive", "Transfer-Encoding", "*", "@", ""]
        for connection in ([("Connection", ", ".join(named))], [("Connection", name.lower()) for name in named], [("Connection", ",".join(named + ["X-Gone"])), ("X-Gone", "1")]):
            answer = self.gateway.fetch("/named", connection + fields, "POST", body=b"hello", host="shop.test")
            seen = self.origin.last("/named")
            self.assertEqual((answer.status, seen.body, seen.field("Content-Length")), (200, b"hello", "5"))
            self.assertEqual({name: seen.field(name) for name, _ in fields}, dict(fields))
            self.assertEqual([seen.field(name) for name in ("Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto")], ["shop.test", "shop.test", "127.0.0.1", "http"])
            self.assertTrue(seen.has("Via") and seen.has("X-Request-Id"))
            self.assertFalse(seen.has("X-Gone"))

    def test_gets_an_id_or_keeps_a_valid_one(self):
        response = self.gateway.fetch("/id")
        self.assertRegex(self.origin.last("/id").field("X-Request-Id"), r"^[0-9A-Za-z_.:/+=@-]{8,128}$")
        self.assertEqual(response.field("X-Request-Id"), self.origin.last("/id").field("X-Request-Id"))
        for sent, is_kept in (("abc-123.X:y/z+=@_", True), ("a" * 128, True), ("a" * 129, False), ("a b", False), ('"x"', False), ("", False), ("a,b", False)):
            with self.subTest(sent):
                response = self.gateway.fetch("/id", [("X-Request-Id", sent)])
                self.assertEqual(self.origin.last("/id").field("X-Request-Id") == sent, is_kept)
                self.assertEqual(response.field("X-Request-Id"), self.origin.last("/id").field("X-Request-Id"))

    def test_from_an_untrusted_client_loses_its_side_fields(self):
        self.gateway.fetch("/side", [(name, "spoofed.test") for name in SIDE_FIELDS])
        seen = self.origin.last("/side")
        for name, value in seen.fields:
            self.assertNotIn("spoofed.test", value, name)
        self.assertEqual(seen.field("X-Forwarded-For"), "127.0.0.1")

    def test_from_a_trusted_proxy_keeps_its_side_fields(self):
        with self.gateway.client(source=TRUSTED) as client:
            client.get("/trusted", [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.test"),
                                    ("X-Forwarded-Prefix", "/shop"), ("X-Original-URL", "/x")])
        seen = self.origin.last("/trusted")
        self.assertEqual(seen.field("X-Forwarded-For"), "203.0.113.7, " + TRUSTED)
        self.assertEqual(seen.field("X-Forwarded-Proto"), "https")
        self.assertEqual(seen.field("X-Forwarded-Host"), "shop.test")
        self.assertEqual(seen.field("X-Forwarded-Prefix"), "/shop")
        self.assertEqual(seen.field("X-Original-URL"), "/x")

    def test_client_address_is_the_last_untrusted_one(self):
        with self.gateway.client(source=TRUSTED) as client:
            client.get("/address", [("X-Forwarded-For", "198.51.100.1, 203.0.113.7, %s" % TRUSTED), ("X-Request-Id", "address-1")])
        line = [line for line in self.gateway.access_log(path="/address") if line["request_id"] == "address-1"][0]
        self.assertEqual(line["client"], "203.0.113.7")

    def test_has_whole_lines_however_long_they_are(self):
        """As long as the gateway accepts; the scripted backend refuses a line that is cut."""
        chain = ", ".join("2001:db8:%x:%x::ffff" % (i, i) for i in range(1, 700))
        via = ", ".join("1.1 %s%d" % ("h" * 60, i) for i in range(90))
        for name, value in (("X-Forwarded-For", chain), ("Via", via), ("X-" + "n" * 8000, "v" * 8000), ("Cookie", "c" * 30000)):
            with self.subTest(name[:20]), self.gateway.client(source=TRUSTED) as client:
                self.assertEqual(client.get("/long", [(name, value)], host="%s.test" % ("h" * 500)).status, 200)
                seen = self.origin.last("/long")
                self.assertTrue(", ".join(seen.all(name)).startswith(value))
                self.assertEqual(seen.field("X-Forwarded-Host"), "%s.test" % ("h" * 500))
                self.assertTrue(seen.field("X-Forwarded-For").endswith(TRUSTED))

    def test_options_and_trace_honour_max_forwards(self):  # RFC 9110 §7.6.2
        for method in ("OPTIONS", "TRACE"):
            with self.subTest(method):
                self.gateway.fetch("/hops-left", [("Max-Forwards", "5")], method)
                self.assertEqual(self.origin.last("/hops-left").field("Max-Forwards"), "4")
                before = self.origin.count("/no-hop-left")
                self.gateway.fetch("/no-hop-left", [("Max-Forwards", "0")], method)
                self.assertEqual(self.origin.count("/no-hop-left"), before)
        self.gateway.fetch("/hops-left", [("Max-Forwards", "5")], "GET")
        self.assertEqual(self.origin.last("/hops-left").field("Max-Forwards"), "5")

    def test_from_http_1_0_needs_no_host(self):
        with self.gateway.client() as client:
            client.send(b"GET /old HTTP/1.0\r\n\r\n")
            response = client.read()
            self.assertEqual((response.status, response.body), (200, b"origin"))
            client.assert_closed()
        self.assertEqual(self.origin.last("/old").field("Host"), "127.0.0.1:%d" % self.origin.port)
        self.assertRegex(self.origin.last("/old").field("Via"), r"^1\.0 \S+$")


class AnAnswer(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"cors": {"enabled": False}})

    def test_keeps_status_reason_and_fields(self):
        fields = [("X-Custom", "one"), ("Set-Cookie", "a=1; Path=/"), ("X-Custom", "two"), ("Set-Cookie", "b=2"), ("ETag", '"x"'), ("Server", "theirs"),
                  ("Date", "Tue, 15 Nov 1994 08:12:31 GMT"), ("Link", "<a>; rel=b"), ("X-Bytes", "caf\xe9")]
        for status in (200, 201, 202, 203, 206, 299, 301, 302, 307, 308, 400, 401, 403, 404, 405, 409, 410, 418, 422, 429, 451, 500, 501, 502, 503, 504, 511, 599):
            with self.subTest(status):
                self.origin.on("/status", status=status, reason="As The Origin Says", fields=fields, body=b"abc")
                response = self.gateway.fetch("/status")
                self.assertEqual((response.status, response.reason, response.body), (status, "As The Origin Says", b"abc"))
                for name in {name for name, _ in fields}:
                    self.assertEqual(response.all(name), [value for key, value in fields if key == name])

    def test_keeps_its_body_in_every_framing(self):
        for size in SIZES:
            body = some_bytes(size)
            pieces = [body[at:at + 9973] for at in range(0, size, 9973)]
            for name, data in (("length", reply(body=body)), ("chunked", reply(body=pieces, chunked=True)), ("close", b"HTTP/1.1 200 OK\r\n\r\n" + body)):
                with self.subTest(size=size, framing=name):
                    def say(call, data=data, name=name):
                        call.send(data)
                        if name == "close":
                            call.close()
                    self.origin.on("/body", say)
                    response = self.gateway.fetch("/body")
                    self.assertEqual(hashlib.sha256(response.body).digest(), hashlib.sha256(body).digest())
                    if name == "length":
                        self.assertEqual(response.field("Content-Length"), str(size))

    def test_is_announced_by_via(self):
        self.origin.on("/via", fields=[("Via", "1.0 inner")])
        self.assertRegex(", ".join(self.gateway.fetch("/via").all("Via")), r"^1\.0 inner, 1\.1 \S+$")
        self.assertRegex(self.gateway.fetch("/").field("Via"), r"^1\.1 \S+$")

    def test_cannot_lose_what_its_readers_decide_by_by_naming_it_in_connection(self):
        fields = [("Set-Cookie", "a=1"), ("Cache-Control", "private"), ("Date", "Mon, 30 Nov 2026 10:00:00 GMT"), ("Vary", "Cookie"), ("ETag", "\"1\""),
                  ("Content-Type", "text/plain"), ("Content-Encoding", "x"), ("Location", "/a"), ("Age", "1"), ("WWW-Authenticate", "Basic")]
        named = ", ".join([name for name, _ in fields] + ["Content-Length", "Connection", "X-Gone"])
        self.origin.on("/answer-named", fields=fields + [("Connection", named), ("X-Gone", "1")], body=b"hello")
        answer = self.gateway.fetch("/answer-named")
        self.assertEqual(({name: answer.field(name) for name, _ in fields}, answer.body), (dict(fields), b"hello"))
        self.assertFalse(answer.has("X-Gone"))

    def test_loses_its_hop_by_hop_fields(self):
        self.origin.on("/hops", fields=[("Connection", "X-Inner"), ("X-Inner", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Authenticate", "Basic"),
                                        ("Proxy-Connection", "x"), ("Upgrade", "h2c"), ("Trailer", "X-T"), ("X-Kept", "1")])
        response = self.gateway.fetch("/hops")
        for name in ("X-Inner", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Upgrade", "Trailer"):
            self.assertFalse(response.has(name), "%s: %r" % (name, response.fields))
        self.assertEqual(response.field("X-Kept"), "1")

    def test_to_head_has_fields_and_no_body(self):  # RFC 9110 §9.3.2
        self.origin.on("/head", body=b"x" * 5000)
        with self.gateway.client() as client:
            client.ask("HEAD", "/head")
            head = client.read()
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(head.field("Content-Length"), "5000")
            self.assertEqual(len(client.get("/head").body), 5000)
        self.assertEqual([request.method for request in self.origin.seen("/head")], ["HEAD", "GET"])

    def test_without_body_is_followed_by_the_next(self):
        for status in (204, 304):
            with self.subTest(status), self.gateway.client() as client:
                self.origin.on("/none", status=status, fields=[("ETag", '"x"')])
                response = client.get("/none", [("If-None-Match", '"x"')])
                self.assertEqual((response.status, response.body), (status, b""))
                self.assertFalse(response.has("Transfer-Encoding"))
                self.assertEqual(client.get("/").body, b"origin")

    def test_to_http_1_0_is_not_chunked(self):  # RFC 9112 §6.1
        self.origin.on("/pieces", body=[b"one", b"two"], chunked=True)
        with self.gateway.client() as client:
            client.send(b"GET /pieces HTTP/1.0\r\nHost: a\r\n\r\n")
            response = client.read()
            self.assertEqual(response.body, b"onetwo")
            self.assertFalse(response.has("Transfer-Encoding"))
            client.assert_closed()

    def test_interim_is_passed_on_to_1_1_and_not_to_1_0(self):  # RFC 9110 §15.2
        self.origin.on("/early", b"HTTP/1.1 103 Early Hints\r\nLink: <a>; rel=preload\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n"
                       + reply(body=b"done"))
        response = self.gateway.fetch("/early")
        self.assertEqual([(interim.status, interim.field("Link")) for interim in response.interim], [(103, "<a>; rel=preload")])
        self.assertFalse(any(response.interim[0].has(name) for name in ("Connection", "X-Hop", "Keep-Alive")), response.interim)  # §7.6.1
        self.assertEqual((response.status, response.body), (200, b"done"))
        with self.gateway.client() as client:
            client.send(b"GET /early HTTP/1.0\r\n\r\n")
            response = client.read()
            self.assertEqual((response.status, response.interim), (200, []))

    def test_of_an_http_1_0_backend_is_understood(self):
        def old(call):
            call.send(b"HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nold times")
            call.close()
        self.origin.on("/old", old)
        self.assertEqual(self.gateway.fetch("/old").body, b"old times")

    def test_of_an_http_1_0_backend_that_keeps_its_connection_is_followed_by_requests_in_1_1(self):
        answer = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nold"
        self.origin.on("/old/kept", lambda call: call.send(answer))
        for _ in range(3):
            self.assertEqual(self.gateway.fetch("/old/kept").body, b"old")
            with self.gateway.client() as client:
                client.send(b"POST /old/kept HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
                self.assertEqual(client.read("POST").body, b"old")


class Connections(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin)

    def test_to_client_and_backend_are_kept(self):
        with self.gateway.client() as client:
            for number in range(50):
                self.assertEqual(client.get("/kept/%d" % number).status, 200)
            before = len(self.origin.connections)
            for number in range(50):
                self.assertEqual(client.get("/kept/%d" % number).status, 200)
            self.assertEqual(len(self.origin.connections), before)

    def test_end_where_the_client_says_so(self):
        with self.gateway.client() as client:
            response = client.get("/", [("Connection", "close")])
            self.assertIn("close", (response.field("Connection") or "").lower())
            client.assert_closed()

    def test_of_http_1_0_are_kept_only_if_asked(self):
        with self.gateway.client() as client:
            client.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            response = client.read()
            self.assertEqual(response.body, b"origin")
            if "keep-alive" in (response.field("Connection") or "").lower():
                client.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
                self.assertEqual(client.read().body, b"origin")
            else:
                client.assert_closed()

    def test_to_a_backend_that_says_close_are_not_used_again(self):
        def say(call):
            call.respond(fields=[("Connection", "close")], body=b"bye")
            call.wait_for_close()
        self.origin.on("/bye", say)
        with self.gateway.client() as client:
            response = client.get("/bye")
            self.assertEqual(response.body, b"bye")
            self.assertNotIn("close", (response.field("Connection") or "").lower())  # the backend's, not the gateway's
            self.assertEqual(client.get("/bye").body, b"bye")


class SeveralBackends(Scene):
    def count(self, origins, path):
        return [origin.count(path) for origin in origins]

    def test_take_turns_for_each_route(self):
        for workers in (1, 2, 4):
            with self.subTest(workers=workers), Stage() as stage:
                one, two, three = (stage.origin() for _ in range(3))
                usual, own = one.url + "," + two.url, [one.url, two.url, three.url]
                gateway = stage.gateway(usual, {"server": {"workers": workers}, "routes": [
                    {"name": "a", "path": "/a"}, {"name": "b", "path": "/b"}, {"name": "c", "path": "/c", "backend": own}]})
                for _ in range(12):
                    for path in ("/a", "/b", "/c", "/"):  # each over a connection of its own, so on any worker
                        gateway.fetch(path)
                for path in ("/a", "/b", "/"):
                    self.assertEqual(self.count((one, two), path), [6, 6])
                self.assertEqual(self.count((one, two, three), "/c"), [4, 4, 4])

    def test_one_that_is_down_takes_no_turn_from_another_route(self):
        with Stage() as stage:
            one, two = stage.origin(), stage.origin()
            urls = "http://127.0.0.1:1,%s,%s" % (one.url, two.url)
            gateway = stage.gateway(urls, {"server": {"workers": 2}, "routes": [{"name": "a", "path": "/a"}]})
            for _ in range(12):
                self.assertEqual([gateway.fetch(path).status for path in ("/a", "/b")], [200, 200])
            for path in ("/a", "/b"):
                self.assertEqual(self.count((one, two), path), [8, 4])  # requests that would have gone to the first go to the next one

    def test_a_retry_does_not_go_to_the_one_that_has_just_failed(self):
        def fail(call):
            call.close()
        for bad_count, good_count, retries in ((1, 1, 1), (1, 2, 1), (2, 1, 2)):
            with self.subTest(bad=bad_count, good=good_count), Stage() as stage:
                bad, good = [stage.origin() for _ in range(bad_count)], [stage.origin() for _ in range(good_count)]
                for origin in bad:
                    origin.on("/x", fail)
                gateway = stage.gateway(",".join(origin.url for origin in bad + good), {"server": {"workers": 1}, "backend": {"retries": retries}})
                for _ in range(2 * (bad_count + good_count)):
                    self.assertEqual(gateway.fetch("/x").status, 200)
                for origin in bad:  # its own turns, and those of the bad one before it
                    self.assertEqual(origin.count("/x"), 2 * (bad.index(origin) + 1))

    def test_a_retry_does_not_go_to_the_same_url_named_again(self):
        with Stage() as stage:
            bad, good = stage.origin(), stage.origin()
            bad.on("/x", lambda call: call.close())
            gateway = stage.gateway(",".join((bad.url, bad.url, good.url)), {"server": {"workers": 1}, "backend": {"retries": 1}})
            self.assertEqual([gateway.fetch("/x").status for _ in range(6)], [200] * 6)
            self.assertEqual(self.count((bad, good), "/x"), [4, 6])


class ABackendUrl(Scene):
    def test_may_have_a_path(self):
        with Stage() as stage:
            origin = stage.origin()
            gateway = stage.gateway(origin.url + "/base")
            gateway.fetch("/x?y")
            gateway.fetch("/")
            self.assertEqual([request.target for request in origin.seen()], ["/base/x?y", "/base/"])

    def test_may_have_a_name_of_which_one_address_refuses(self):
        with Stage() as stage:
            origin = stage.origin()  # only on 127.0.0.1; localhost may be ::1 as well
            gateway = stage.gateway("http://localhost:%d" % origin.port)
            self.assertEqual(gateway.fetch("/").body, b"origin")

    def test_shows_in_host_where_that_is_wanted(self):
        with Stage() as stage:
            origin = stage.origin()
            for preserve in (False, "false", True, "true", "auto"):
                with self.subTest(preserve):
                    gateway = stage.gateway(origin, {"backend": {"preserve_host": preserve, "forwarded": True}})
                    gateway.fetch("/", host="shop.test:81")
                    is_own = preserve in (False, "false")
                    self.assertEqual(origin.last().field("Host"), "127.0.0.1:%d" % origin.port if is_own else "shop.test:81")
                    self.assertEqual(origin.last().field("X-Forwarded-Host"), "shop.test:81")
                    self.assertRegex(origin.last().field("Forwarded"), r'for="?127\.0\.0\.1"?')

    def test_of_a_route_takes_what_matches(self):
        with Stage() as stage:
            one, two = stage.origin(), stage.origin()
            gateway = stage.gateway(one, {"routes": [{"name": "api", "path": "/api", "backend": [two.url]}]})
            for target in ("/api", "/api/x", "/apix", "/"):
                gateway.fetch(target)
            self.assertEqual([request.target for request in two.seen()], ["/api", "/api/x"])
            self.assertEqual([request.target for request in one.seen()], ["/apix", "/"])


if __name__ == "__main__":
    main()
