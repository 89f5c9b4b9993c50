"""What the gateway believes about a request's way: from which peers, from which fields, and what the backend gets of it."""
import itertools
import os
import signal

from stage import PATIENCE, Port, Process, Scene, clean_environment, main, reply

TRUSTED = "127.0.0.2"  # an address of this machine that the gateway trusts
FURTHER = "10.7.7.7"  # another trusted proxy
# The names that CDNs, clouds, proxies and frameworks use for the client, the scheme, the host, the path and the method.
SIDE_NAMES = """True-Client-IP CF-Connecting-IP CF-Connecting-IPv6 CF-Pseudo-IPv4 X-Real-IP X-Client-IP X-Cluster-Client-IP Fastly-Client-IP
 X-Original-Forwarded-For X-Azure-ClientIP X-Azure-SocketIP X-Appengine-User-IP X-Envoy-External-Address Fly-Client-IP Forwarded-For
 Forwarded-For-IP X-Forwarded X-Forwarded-Whatever X-ProxyUser-Ip WL-Proxy-Client-IP Proxy-Client-IP Client-IP X-Remote-IP X-Remote-Addr
 X-Originating-IP X-Nf-Client-Connection-IP X-Vercel-Forwarded-For DO-Connecting-IP Ali-CDN-Real-IP Incap-Client-IP X-Sucuri-ClientIP
 CloudFront-Viewer-Address CloudFront-Forwarded-Proto CF-Visitor X-Forwarded-Ssl X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Server
 X-Forwarded-By Front-End-Https X-Url-Scheme X-Scheme X-Forwarded-Protocol X-Forwarded-Scheme X-Host X-Original-Host X-Rewrite-URL X-Script-Name
 X-Original-URL X-Original-Method X-Forward-For X-Forward-Host Fastly-SSL X-HTTP-Host X-Real-Host X-Proxy-Host X-Proxy-URL HTTP_X_FORWARDED_FOR
 HTTP-X-Real-IP HTTP_CLIENT_IP X-Client-IPv6 X-Client-Port X-Real-IPv6 X-Real-Port X-Coming-From HTTP_X_ORIGINAL_URL HTTP-X-Rewrite-URL HTTP_X_SCHEME
 X-Forwarder-For X-Forwarding-For X-Client-Address X-True-IP X-User-IP X-Remote-Address X-Origin-IP X-Source-IP X-Src-IP X-IP X-Peer-IP
 X-Custom-IP-Authorization X-Forwarded-Host X-Https X-ARR-SSL X-HTTP-Host-Override X-Host-Override X-Override-Host X-Envoy-Original-Path X-Original-URI
 X-Original-Path X-Replaced-Path X-Override-URL X-WAWS-Unencoded-URL X-HTTP-DestinationURL X-HTTP-Path-Override X-HTTP-Method X-HTTP-Method-Override
 X-Method-Override Forwarded-Whatever X-Original-Forwarded-For-IP X-Cluster-IP Original-Forwarded-Ssl Original-Forwarded-Port Original-Forwarded-Host
 Original-Forwarded-Server""".split()
APP = '''
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Mount, Route


def page(request):
    if request.url.scheme == "http":
        return RedirectResponse(request.url.replace(scheme="https"), 301)
    return PlainTextResponse("secure %s" % request.client.host)


app = Starlette(routes=[Route("/page", page), Mount("/sub", routes=[Route("/", page)])])
'''


class Uvicorn(Process):
    """A Starlette application that wants https, under uvicorn as its documentation says for a backend behind proxies."""

    def __init__(self, folder):
        self.lease = Port()
        self.port = self.lease.number
        self.url = "http://127.0.0.1:%d" % self.port
        with open(os.path.join(folder, "wants_https.py"), "w", encoding="utf-8") as file:
            file.write(APP)
        command = ["/usr/bin/python3", "-m", "uvicorn", "--app-dir", folder, "--port", str(self.port), "--log-level", "warning",
                   "--proxy-headers", "--forwarded-allow-ips", "127.0.0.1,%s" % TRUSTED, "wants_https:app"]
        super().__init__(folder, "uvicorn", command, clean_environment(PYTHONDONTWRITEBYTECODE="1"))
        self.wait_until_ready(self.port, "/page")

    def stop(self):
        self.end(signal.SIGTERM, PATIENCE)
        self.lease.release()


class TrustedProxies(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"trusted_proxies": [TRUSTED, FURTHER]}, "cache": {"enabled": True}, "cors": {"enabled": False}})
        cls.numbers = itertools.count()

    def ask(self, fields, source=TRUSTED, **more):
        """The answer, what the backend saw (None: it was not asked), and the client in the access log."""
        name = "proxied-%d" % next(self.numbers)
        target = more.pop("target", "/" + name)
        before = self.origin.count(target)
        with self.gateway.client(source=source) as client:
            answer = client.get(target, list(fields) + [("X-Request-Id", name)], **more)
        asked = self.origin.last(target) if self.origin.count(target) > before else None
        path = target.partition("?")[0]
        line = [line for line in self.gateway.access_log(path=path) if line["request_id"] == name]
        return answer, asked, line[0]["client"] if line else None

    def test_from_an_untrusted_peer_no_name_for_client_scheme_host_or_path_gets_through(self):
        for name in SIDE_NAMES + [name.replace("-", "_") for name in SIDE_NAMES] + [name.upper() for name in SIDE_NAMES]:
            with self.subTest(name):
                _, asked, _ = self.ask([(name, "203.0.113.66"), ("X-Kept", "1")], source="127.0.0.1")
                self.assertEqual([key for key, value in asked.fields if value == "203.0.113.66"], [])
                self.assertEqual(asked.field("X-Kept"), "1")

    def test_fields_that_only_look_alike_are_kept(self):
        names = ("X-Forward", "Client", "X-Request-Path", "X-Shipping", "X-Hosting", "X-Schema", "X-Method", "Ip-Version", "X-Http-Version")
        _, asked, _ = self.ask([(name, "1") for name in names], source="127.0.0.1")
        self.assertEqual([name for name in names if asked.field(name) != "1"], [])

    def test_a_trusted_proxys_words_for_the_client_get_through(self):
        _, asked, _ = self.ask([("True-Client-IP", "203.0.113.7"), ("X-Real-IP", "203.0.113.7"), ("X_Real_IP", "6.6.6.6")])
        self.assertEqual((asked.field("True-Client-IP"), asked.field("X-Real-IP"), asked.has("X_Real_IP")), ("203.0.113.7", "203.0.113.7", False))

    def test_its_further_words_for_scheme_and_host_do_not(self):
        """These fields are no part of the cache's key."""
        for name in ("CF-Visitor", "X-Forwarded-Server", "X-Host", "X-HTTP-Host-Override"):
            with self.subTest(name):
                self.assertFalse(self.ask([(name, "other.test")])[1].has(name))

    def test_the_client_is_the_last_that_a_trusted_one_tells_of(self):
        for value, client in (
                ("203.0.113.7", "203.0.113.7"),
                ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
                ("203.0.113.7, %s" % FURTHER, "203.0.113.7"),
                ("203.0.113.7:5678, [::ffff:%s]:80" % FURTHER, "203.0.113.7"),
                ("[2001:db8::7]:80", "2001:db8::7"),
                ("fe80::7%eth0", "fe80::7"),
                (",203.0.113.7, ,%s,," % FURTHER, "203.0.113.7"),
                # an element that is no address ends the walk: the client is then the last trusted one
                ("203.0.113.7, unknown", TRUSTED),
                ("203.0.113.7, _hidden, %s" % FURTHER, FURTHER),
                ("203.0.113.7, garbage, %s, %s" % (FURTHER, FURTHER), FURTHER),
                ("203.0.113.7, 1.2.3.4:x", TRUSTED),
                ("203.0.113.7, 1.2.3.4.5", TRUSTED),
                ("203.0.113.7, \"198.51.100.1\"", TRUSTED),
                ("unknown", TRUSTED), ("", TRUSTED), ("x" * 4000, TRUSTED),
                # a client's quote does not swallow the proxy's part behind it either
                ("\"x, 203.0.113.7", "203.0.113.7"),
                (", ".join("198.51.100.%d" % (i % 250) for i in range(1000)) + ", 203.0.113.7", "203.0.113.7"),
                (", ".join([FURTHER] * 100), FURTHER)):
            with self.subTest(value[:60]):
                self.assertEqual(self.ask([("X-Forwarded-For", value)])[2], client)
        self.assertEqual(self.ask([("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", FURTHER)])[2], "203.0.113.7")
        self.assertEqual(self.ask([("X-Forwarded-For", "203.0.113.7")], source="127.0.0.1")[2], "127.0.0.1")

    def test_forwarded_is_read_too(self):  # RFC 7239
        for fields, client, proto, host in (
                (["for=203.0.113.7;proto=https;host=shop.test"], "203.0.113.7", "https", "shop.test"),
                (["for=\"[2001:db8::7]:80\";proto=HTTPS;host=\"shop.test:81\""], "2001:db8::7", "https", "shop.test:81"),
                (["proto=https"], TRUSTED, "https", "gateway.test"),
                (["for=6.6.6.6;proto=https;host=evil.test, for=203.0.113.7;proto=http;host=shop.test"], "203.0.113.7", "http", "shop.test"),
                (["for=203.0.113.7;proto=https;host=shop.test", "for=%s;proto=http;host=inner.test" % FURTHER], "203.0.113.7", "https", "shop.test"),
                (["for=203.0.113.7;proto=https, for=unknown"], TRUSTED, "http", "gateway.test"),
                (["for=203.0.113.7;proto=https;proto=http"], TRUSTED, "http", "gateway.test"),
                (["for=203.0.113.7;proto=gopher;host=\"a b\""], "203.0.113.7", "http", "gateway.test"),
                (["garbage"], TRUSTED, "http", "gateway.test")):
            with self.subTest(fields):
                _, asked, seen = self.ask([("Forwarded", value) for value in fields])
                self.assertEqual((seen, asked.field("X-Forwarded-Proto"), asked.field("X-Forwarded-Host")), (client, proto, host))
                told = asked.field("Forwarded").split(", ")
                self.assertEqual({element.partition(";")[2] for element in told}, {"proto=%s;host=\"%s\"" % (proto, host)})
                self.assertEqual(told[-1].partition(";")[0], "for=" + TRUSTED)
                self.assertTrue(asked.field("X-Forwarded-For").endswith(", " + TRUSTED))

    def test_x_forwarded_fields_go_before_forwarded(self):
        _, asked, client = self.ask([("Forwarded", "for=6.6.6.6;proto=https;host=evil.test"), ("X-Forwarded-For", "203.0.113.7")])
        self.assertEqual((client, asked.field("X-Forwarded-Proto"), asked.field("X-Forwarded-Host")), ("203.0.113.7", "http", "gateway.test"))
        self.assertFalse(asked.has("Forwarded"))

    def test_the_first_of_several_schemes_and_hosts_is_the_clients(self):
        for fields, proto, host in (
                ([("X-Forwarded-Proto", "https,http")], "https", "gateway.test"),
                ([("X-Forwarded-Proto", "HTTPS , http"), ("X-Forwarded-Host", "shop.test, inner.test")], "https", "shop.test"),
                ([("X-Forwarded-Proto", "http,https")], "http", "gateway.test"),
                ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], "https", "gateway.test"),
                ([("X-Forwarded-Proto", "junk"), ("X-Forwarded-Host", "a b")], "http", "gateway.test"),
                ([("X-Forwarded-Proto", "https://"), ("X-Forwarded-Host", "user@evil")], "http", "gateway.test"),
                ([("X-Forwarded-Proto", ""), ("X-Forwarded-Host", "")], "http", "gateway.test"),
                # other names count if those are absent
                ([("X-Forwarded-Ssl", "on")], "https", "gateway.test"),
                ([("X-Forwarded-Ssl", "on"), ("X-Forwarded-Proto", "http")], "http", "gateway.test"),
                ([("Front-End-Https", "on"), ("X-Original-Host", "shop.test")], "https", "shop.test"),
                ([("X-Forwarded-Scheme", "https"), ("X-Forwarded-Host", "shop.test"), ("X-Original-Host", "other.test")], "https", "shop.test"),
                ([("X-Scheme", "https")], "https", "gateway.test")):
            with self.subTest(fields):
                _, asked, _ = self.ask(fields)
                self.assertEqual((asked.field("X-Forwarded-Proto"), asked.field("X-Forwarded-Host")), (proto, host))
                for name, value in asked.fields:
                    if name in ("X-Forwarded-Ssl", "Front-End-Https"):
                        self.assertEqual(value, "on" if proto == "https" else "off")
                    elif name in ("X-Forwarded-Scheme", "X-Scheme"):
                        self.assertEqual(value, proto)
                    elif name == "X-Original-Host":
                        self.assertEqual(value, host)

    def test_a_backend_that_goes_by_scheme_or_host_is_keyed_by_them(self):
        def by_scheme(call):
            words = " ".join("%s=%s" % (name.lower(), value.lower()) for name, value in call.request.fields)
            secure = "proto=https" in words or "ssl=on" in words or "port=443" in words or "scheme=https" in words
            call.respond(200 if secure else 301, [] if secure else [("Location", "https://gateway.test" + call.request.target)], b"secure" if secure else b"")
        for name, insecure, secure in (("Forwarded", "proto=http", "proto=https"), ("Forwarded", "for=203.0.113.7;proto=http", "for=203.0.113.7;proto=https"),
                                       ("X-Forwarded-Proto", "http", "https"), ("X-Forwarded-Ssl", "off", "on"), ("X-Forwarded-Scheme", "http", "https")):
            target = "/by-scheme-%d" % next(self.numbers)
            self.origin.on(target, by_scheme)
            for _ in range(2):
                self.assertEqual(self.ask([(name, insecure)], target=target)[0].status, 301, (name, insecure))
                self.assertEqual(self.ask([(name, secure)], target=target)[0].status, 200, (name, secure))
            self.assertEqual(self.origin.count(target), 2)

    def test_a_port_alone_makes_no_other_answer(self):
        self.origin.on("/by-port", lambda call: call.respond(200, [], call.request.field("X-Forwarded-Port").encode()))
        for port, host, seen in (("8443", "gateway.test", "80"), ("9", "gateway.test", "80"), ("9", "gateway.test:81", "81")):
            self.assertEqual(self.ask([("X-Forwarded-Port", port)], target="/by-port", host=host)[0].body, seen.encode())

    def test_fields_for_another_path_select_what_is_stored(self):
        """A proxy that strips a prefix sends such a field with every request: such requests have their own stored answers, which no
        other request gets."""
        def say(call):
            call.respond(200, [("Cache-Control", "max-age=60")], repr(call.request.fields).encode())
        for name in ("X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Original-URL", "X-Original-URI", "X-Original-Path", "X-Rewrite-URL", "X-Replaced-Path",
                     "X-Script-Name", "X-Envoy-Original-Path", "X-Envoy-Original-Host", "X-Forwarded-Context", "X-Forwarded-Url", "X-Forwarded-Method", "X-Original-Method", "X-Original-Forwarded-Host",
                     "X-Rewrite-Path", "X-Rewrite-URI", "X-Override-URL", "X-Override-Host", "X-Host-Override", "X-HTTP-Path-Override", "X-HTTP-DestinationURL", "X-WAWS-Unencoded-URL", "X-Https", "X-ARR-SSL"):
            target = "/prefixed-%d" % next(self.numbers)
            self.origin.on(target, say)
            for label in ("MISS", "HIT"):
                for value in ("/one", "/two"):
                    with self.subTest(name=name, value=value):
                        answer = self.ask([(name, value)], target=target)[0]
                        self.assertEqual(answer.field("X-Cache"), label)
                        self.assertIn(value.encode(), answer.body)
                self.assertEqual(self.ask([], target=target)[0].field("X-Cache"), label)
            self.assertEqual(self.origin.count(target), 3)

    def test_what_asks_for_another_method_is_not_cached(self):
        self.origin.on("/overridden", fields=[("Cache-Control", "max-age=60")])
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
            for method in ("DELETE", "GET"):
                answer, asked, _ = self.ask([(name, method)], target="/overridden")
                self.assertEqual((answer.field("X-Cache"), asked.field(name)), ("BYPASS", method))
        self.assertEqual(self.ask([], target="/overridden")[0].field("X-Cache"), "MISS")

    def test_a_starlette_redirect_does_not_loop(self):
        self.origin.on("/unused", lambda call: call.send(reply()))
        backend = Uvicorn(self.stage.folder)
        self.stage.actors.insert(0, backend)
        gateway = self.stage.gateway(backend.url, {"server": {"trusted_proxies": [TRUSTED]}, "cache": {"enabled": True}})

        def get(target, fields):
            with gateway.client(source=TRUSTED) as client:
                return client.get(target, fields, host="shop.test")
        for target in ("/page", "/sub/"):
            for fields in ([("X-Forwarded-Proto", "%s")], [("Forwarded", "for=203.0.113.7;proto=%s")], [("X-Forwarded-Proto", "%s, http"), ("X-Forwarded-For", "203.0.113.7")]):
                for _ in range(2):
                    insecure, secure = (get(target, [(name, value.replace("%s", scheme)) for name, value in fields]) for scheme in ("http", "https"))
                    self.assertEqual((insecure.status, insecure.field("Location")), (301, "https://shop.test" + target))
                    self.assertEqual((secure.status, secure.body[:6]), (200, b"secure"))
        # the first redirect from a slash to none also uses the host that the client asked for
        self.assertEqual(get("/sub", [("X-Forwarded-Proto", "https")]).field("Location"), "https://shop.test/sub/")


if __name__ == "__main__":
    main()
