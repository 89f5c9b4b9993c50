"""Backends that name themselves: Host, Location and the like, in a form that clients can use."""
from stage import Scene, Stage, main

TRUSTED = "127.0.0.2"  # an address of this machine that the gateway trusts
PROXIED = {"server": {"trusted_proxies": [TRUSTED]}}
BY_TLS = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.test")]


class Redirecting(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.other = stage.origin()
        cls.gateway = stage.gateway(cls.origin.url + "," + cls.other.url, PROXIED)
        cls.own = "127.0.0.1:%d" % cls.origin.port

    def says(self, value, name="Location", status=307, **more):
        """How the client gets a field of the backend; both backends send the same, as they take turns."""
        for origin in (self.origin, self.other):
            origin.on("/redirect", status=status, fields=[(name, value)])
        return self.gateway.fetch("/redirect", **more).field(name)

    def test_what_names_a_backend_names_what_the_client_asked_for(self):
        for given, expected in (
                ("http://%s/items/", "http://shop.test/items/"),
                ("http://%s/items/?a=b#c", "http://shop.test/items/?a=b#c"),
                ("HTTP://%s/Items/", "http://shop.test/Items/"),
                ("//%s/items/", "http://shop.test/items/"),
                ("http://%s", "http://shop.test/"),
                ("http://%s?a", "http://shop.test/?a"),
                ("http://shop.test:80/items/", "http://shop.test/items/"),
                ("http://SHOP.test/a b", "http://shop.test/a b")):
            for name in ("Location", "Content-Location"):
                with self.subTest(given, name=name):
                    given = given.replace("%s", self.own)
                    self.assertEqual(self.says(given, name, host="shop.test"), expected)
        self.assertEqual(self.says("http://127.0.0.1:%d/x" % self.other.port, host="shop.test"), "http://shop.test/x")

    def test_each_of_several_lines_is_rewritten(self):
        for origin in (self.origin, self.other):
            origin.on("/twice", fields=[("Content-Location", "http://%s/a" % self.own), ("Content-Location", "http://%s/b" % self.own)])
        self.assertEqual(self.gateway.fetch("/twice", host="shop.test").all("Content-Location"), ["http://shop.test/a", "http://shop.test/b"])

    def test_what_names_something_else_stays(self):
        for value in ("/items/", "items/", "?a=b", "#c", "", "http://elsewhere.test/items/", "https://%s/items/" % self.own, "http://127.0.0.1/items/",
                      "http://user@%s/items/" % self.own, "http://%s.evil.test/" % self.own, "http://%s0/" % self.own, "ftp://%s/" % self.own,
                      "http:/%s/" % self.own, "https://shop.test/items/", "http://shop.test:81/", "/login?next=http://%s/" % self.own, "http://["):
            with self.subTest(value):
                self.assertEqual(self.says(value, host="shop.test"), value)

    def test_refresh_too(self):  # as nginx' proxy_redirect
        for given, expected in (("5; url=http://%s/a", "5; url=http://shop.test/a"), ("0;URL='http://%s/a'", "0;URL='http://shop.test/a'"),
                                ('0; url="http://%s/a"; x', '0; url="http://shop.test/a"; x'), ("0;URL='http://%s'", "0;URL='http://shop.test/'"),
                                ("5", "5"), ("5; url=/a", "5; url=/a"), ("5; url=", "5; url=")):
            with self.subTest(given):
                self.assertEqual(self.says(given.replace("%s", self.own), "Refresh", 200, host="shop.test"), expected)

    def test_scheme_and_host_are_those_that_a_trusted_proxy_tells(self):
        for fields, expected in ((BY_TLS, "https://shop.test/x"), ([("X-Forwarded-Proto", "https")], "https://gateway.test/x"), ([], "http://gateway.test/x")):
            with self.subTest(fields), self.gateway.client(source=TRUSTED) as client:
                for origin in (self.origin, self.other):
                    origin.on("/told", lambda call: call.respond(status=307, fields=[("Location", "http://%s/x" % call.request.field("Host"))]))
                self.assertEqual(client.get("/told", fields).field("Location"), expected)
        self.assertEqual(self.gateway.fetch("/told", BY_TLS).field("Location"), "http://gateway.test/x")

    def test_absolute_form_names_the_host(self):
        for origin in (self.origin, self.other):
            origin.on("/told", lambda call: call.respond(status=307, fields=[("Location", "http://%s/x" % call.request.field("Host"))]))
        self.assertEqual(self.gateway.fetch("http://shop.test/told", host="shop.test").field("Location"), "http://shop.test/x")

    def test_a_request_without_host_gets_a_relative_one(self):
        for value, expected in (("http://%s/x?y" % self.own, "/x?y"), ("http://%s" % self.own, "/"), ("http://%s//elsewhere.test/x" % self.own, "/.//elsewhere.test/x"), ("http://elsewhere.test/", "http://elsewhere.test/")):
            for origin in (self.origin, self.other):
                origin.on("/old", status=302, fields=[("Location", value)])
            with self.subTest(value), self.gateway.client() as client:
                client.send(b"GET /old HTTP/1.0\r\n\r\n")
                self.assertEqual(client.read().field("Location"), expected)

    def test_can_be_turned_off(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin, {"backend": {"rewrite_location": False}})
            self.origin.on("/off", status=307, fields=[("Location", "http://%s/x" % self.own)])
            self.assertEqual(gateway.fetch("/off").field("Location"), "http://%s/x" % self.own)

    def test_the_path_prefix_of_a_backend_is_left_out(self):
        with Stage() as stage:
            gateway = stage.gateway(self.origin.url + "/base")
            for given, expected in (("http://%s/base/items/", "http://gateway.test/items/"), ("http://%s/base", "http://gateway.test/"),
                                    ("http://%s/base?a", "http://gateway.test/?a"), ("http://gateway.test/base/items/", "http://gateway.test/items/"),
                                    ("http://%s/based/", None), ("http://%s/", None)):
                with self.subTest(given):
                    given = given.replace("%s", self.own)
                    self.origin.on("/base/redirect", status=307, fields=[("Location", given)])
                    self.assertEqual(gateway.fetch("/redirect").field("Location"), expected or given)


class ThroughTheCache(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.own = "http://127.0.0.1:%d" % cls.origin.port
        cls.gateway = stage.gateway(cls.origin, {**PROXIED, "cache": {"enabled": True}})

    def test_each_host_and_scheme_has_its_own(self):
        self.origin.on("/moved", status=301, fields=[("Location", self.own + "/there"), ("Cache-Control", "max-age=60")])
        for turn in ("MISS", "HIT"):
            for host in ("one.test", "two.test"):
                answer = self.gateway.fetch("/moved", host=host)
                self.assertEqual((answer.field("Location"), answer.field("X-Cache")), ("http://%s/there" % host, turn))
            with self.gateway.client(source=TRUSTED) as client:
                answer = client.get("/moved", BY_TLS)
                self.assertEqual((answer.field("Location"), answer.field("X-Cache")), ("https://shop.test/there", turn))
        self.assertEqual(self.origin.count("/moved"), 3)

    def test_the_host_that_a_trusted_proxy_tells_is_the_one_that_is_keyed(self):
        """Otherwise a client could choose by Host what others get for a URL that is keyed by X-Forwarded-Host."""
        self.origin.on("/page", lambda call: call.respond(fields=[("Cache-Control", "max-age=60")], body=call.request.field("Host").encode()))
        with self.gateway.client(source=TRUSTED) as client:
            client.ask("GET", "/page", BY_TLS, host="evil.test")
            self.assertEqual(client.read().body, b"shop.test")

    def test_a_confirmation_names_it_as_well(self):
        def say(call):
            fields = [("Cache-Control", "no-cache"), ("ETag", '"1"'), ("Content-Location", self.own + "/here")]
            call.respond(status=304 if call.request.has("If-None-Match") else 200, fields=fields)
        self.origin.on("/confirmed", say)
        self.assertEqual([self.gateway.fetch("/confirmed").field("Content-Location") for _ in range(2)], ["http://gateway.test/here"] * 2)

    def test_a_write_ends_what_its_location_names(self):
        for field in ("Location", "Content-Location"):
            with self.subTest(field):
                self.origin.on("/made", fields=[("Cache-Control", "max-age=60")])
                self.origin.on("/make", status=201, fields=[(field, self.own + "/made")])
                self.assertEqual([self.gateway.fetch("/made").field("X-Cache") for _ in range(2)], ["MISS", "HIT"])
                self.assertEqual(self.gateway.fetch("/make", method="POST", body=b"x").status, 201)
                self.assertEqual(self.gateway.fetch("/made").field("X-Cache"), "MISS")
                self.assertEqual(self.gateway.fetch("/make", method="POST", body=b"x").status, 201)


class TheExample(Scene):
    """FastAPI under uvicorn, which believes X-Forwarded-Proto from 127.0.0.1, the gateway's address here."""
    @classmethod
    def set_stage(cls, stage):
        cls.gateway = stage.gateway(stage.example(), PROXIED)

    def test_redirects_for_a_slash_lead_back_to_the_gateway(self):
        with self.gateway.client(source=TRUSTED) as client:
            self.assertEqual(client.get("/items", BY_TLS).field("Location"), "https://shop.test/items/")
        self.assertEqual(self.gateway.fetch("/items", host="shop.test:8080").field("Location"), "http://shop.test:8080/items/")
        self.assertEqual(self.gateway.fetch("/items/").status, 200)

    def test_url_for_names_the_gateway(self):
        with self.gateway.client(source=TRUSTED) as client:
            self.assertEqual(client.get("/items/", BY_TLS).json(), [{"id": number, "url": "https://shop.test/reports/%d" % number} for number in (1, 2, 3)])


if __name__ == "__main__":
    main()
