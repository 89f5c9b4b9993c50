"""Pipelining, bounds and timeouts of client connections."""
import resource
import threading
import time

from stage import Client, SANITIZER, Scene, Stage, Truncated, main, wait_until

NO_CACHE = "HTTP/1.1\r\nHost: gateway.test\r\n\r\n"


class Pipelined(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin)
        cls.origin.on("/say", lambda call: call.respond(body=call.request.target.encode()))

    def test_requests_are_answered_in_order(self):
        with self.gateway.client() as client:
            client.send("".join("GET /say?%d %s" % (number, NO_CACHE) for number in range(100)).encode())
            self.assertEqual([client.read().body for _ in range(100)], [b"/say?%d" % number for number in range(100)])

    def test_requests_of_all_kinds_are_answered_in_order(self):
        with self.gateway.client() as client:
            client.ask("POST", "/say?1", [], b"x" * 5000)
            client.ask("HEAD", "/say?2")
            client.ask("POST", "/say?3", [], [b"a", b"b" * 3000], chunked=True)
            client.ask("GET", "/gateway/health")
            client.ask("GET", "/say?4", [("Connection", "close")])
            answers = [client.read() for _ in range(5)]
            self.assertEqual([answer.status for answer in answers], [200] * 5)
            self.assertEqual([answers[index].body for index in (0, 1, 2, 4)], [b"/say?1", b"", b"/say?3", b"/say?4"])
            client.assert_closed()
        self.assertEqual([len(request.body) for request in self.origin.seen("/say") if request.method == "POST"][-2:], [5000, 3001])

    def test_a_request_with_a_body_does_not_end_the_connection(self):
        for body, more in ((b"x" * 5, {}), (b"x" * 100000, {}), (b"x" * 5, {"chunked": True}), (b"", {})):
            with self.subTest(len(body), **more), self.gateway.client() as client:
                for _ in range(2):
                    client.ask("POST", "/say", [], [body] if more else body, **more)
                    response = client.read()
                    self.assertEqual((response.status, response.field("Connection")), (200, None))

    def test_a_request_that_never_becomes_whole_shows_nothing_of_another(self):
        with self.gateway.client() as client, self.gateway.client() as other:
            client.send(b"GET /say HTTP/1.1\r\nHost: gateway.test\r\nX-Request-Id: " + b"m" * 64 + b"\r\nX-A: 1")
            other.get("/say", [("X-A", "secret-" * 50)])
            client.send(b"\0\r\n")
            response = client.read("GET")
            self.assert_error(response, 400)
            self.assertNotIn(b"secret", response.raw + response.body)

    def test_a_slow_one_holds_the_next(self):
        gate = threading.Event()
        self.origin.on("/slow", lambda call: (call.wait(gate), call.respond(body=b"slow")))
        with self.gateway.client() as client:
            client.ask(target="/slow")
            client.ask(target="/say?next")
            wait_until(lambda: self.origin.count("/slow"), "the first was asked")
            gate.set()
            self.assertEqual([client.read().body, client.read().body], [b"slow", b"/say?next"])

    def test_more_than_is_held_is_still_answered(self):
        """Bytes that arrive during an exchange are read up to a bound; the rest waits in the kernel."""
        gate = threading.Event()
        self.origin.on("/first", lambda call: (call.wait(gate), call.respond(body=b"first")))
        with self.gateway.client() as client:
            client.ask(target="/first")
            wait_until(lambda: self.origin.count("/first"), "the first was asked")
            sender = threading.Thread(target=client.send, args=("".join("GET /say?%05d%s %s" % (number, "x" * 500, NO_CACHE) for number in range(1000)).encode(),), daemon=True)
            sender.start()
            gate.set()
            self.assertEqual(client.read().body, b"first")
            for number in range(1000):
                self.assertTrue(client.read().body.startswith(b"/say?%05d" % number))
            sender.join(10)

    def test_nothing_is_answered_after_close(self):
        with self.gateway.client() as client:
            before = self.origin.count("/after")
            client.ask(target="/say", fields=[("Connection", "close")])
            client.ask(target="/after")
            self.assertEqual(client.read().status, 200)
            try:
                client.assert_closed()
            except ConnectionResetError:
                pass
            self.assertEqual(self.origin.count("/after"), before)


class Backends(Scene):
    """A backend that takes all requests of a connection for one user's, as backends with NTLM do."""
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"server": {"workers": 1}, "cache": {"enabled": False}})
        cls.users = {}

        def answer(call):
            said = call.request.field("Authorization")
            if said:
                cls.users[call.connection] = said
            call.respond(body=cls.users.get(call.connection, "nobody").encode())
        cls.origin.on("/me", answer)

    def test_never_get_the_next_users_request_over_a_connection_with_an_identity(self):
        for said in ("NTLM alice", "ntlm alice", "Negotiate alice", "NEGOTIATE alice", "NTLM"):
            with self.subTest(said):
                self.assertEqual(self.gateway.fetch("/me", [("Authorization", said)]).body, said.encode())
                self.assertEqual(self.gateway.fetch("/me").body, b"nobody")
                self.assertEqual(self.gateway.fetch("/me", [("Authorization", said)], method="POST", body=b"a").body, said.encode())
                self.assertEqual(self.gateway.fetch("/me").body, b"nobody")

    def test_keep_connections_where_each_request_has_its_credentials(self):
        self.origin.on("/each", body=b"each")
        self.gateway.fetch("/each")
        before = len(self.origin.connections)
        for said in ("Basic YTpi", "Bearer NTLM", "NTLMv3 a", "Digest a=b"):
            self.gateway.fetch("/each", [("Authorization", said)])
        self.assertEqual(len(self.origin.connections), before)


class Bounds(Scene):
    def test_idle_connections_are_closed(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"idle_timeout": "200ms"}})
            with gateway.client() as silent, gateway.client() as kept:
                kept.get("/")
                silent.assert_closed()
                kept.assert_closed()

    def test_a_client_that_takes_nothing_is_given_up(self):
        """server.write_timeout, for an answer from a backend and for the gateway's own."""
        with Stage() as stage:
            origin = stage.origin()
            origin.on("/large", body=b"x" * 20000000)
            origin.on("/stored", fields=[("Cache-Control", "max-age=60")], body=b"x" * 1000000)
            gateway = stage.gateway(origin, {"server": {"write_timeout": "300ms"}, "cache": {"enabled": True}})
            gateway.fetch("/stored")
            for target, times in (("/large", 1), ("/stored", 30)):
                with self.subTest(target), gateway.client(receive_buffer=4096) as client:
                    for _ in range(times):
                        client.ask(target=target)
                    lines = gateway.access_log(1, target)
                    wait_until(lambda: [line for line in gateway.access_log(1, target) if line.get("error") == "client_gone"], "it is given up")
                    self.assertEqual({line["status"] for line in lines}, {200})
                    wait_until(lambda: gateway.metric_sum("gateway_active_connections") == 1, "its connection is closed")

    def test_a_slow_client_that_takes_something_is_not_given_up(self):
        with Stage() as stage:
            origin = stage.origin()
            origin.on("/large", body=b"x" * 3000000)
            gateway = stage.gateway(origin, {"server": {"write_timeout": "1s"}})
            with gateway.client(receive_buffer=65536) as client:
                client.ask(target="/large")
                began, response, taken = time.monotonic(), client.read_head(), 0
                for piece in client.reader.pieces(response):
                    taken += len(piece)
                    if time.monotonic() - began < 2:
                        time.sleep(0.02)
                self.assertEqual(taken, 3000000)

    def test_requests_on_a_connection_are_counted(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"max_requests_per_connection": 3}})
            with gateway.client() as client:
                answers = [client.get("/") for _ in range(3)]
                self.assertEqual([(answer.field("Connection") or "").lower() == "close" for answer in answers], [False, False, True])
                client.assert_closed()

    def test_connections_are_counted(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"max_connections": 10}})
            clients = [gateway.client() for _ in range(10)]
            for client in clients:
                self.assertEqual(client.get("/").status, 200)
            self.assert_shed(gateway)
            self.assertEqual(clients[0].get("/").status, 200)
            for client in clients:
                client.close()
            wait_until(lambda: self.is_served(gateway), "there is room again")

    def opened(self, gateway):
        client = gateway.client()
        if client.get("/").status == 200:
            return client
        client.close()
        return None

    def test_connections_of_one_client_are_counted(self):
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"max_connections_per_client": 5, "workers": 2}})
            # the request that asked whether the gateway is ready may still be counted
            clients = [wait_until(lambda: self.opened(gateway), "there is room") for _ in range(5)]
            self.assert_shed(gateway)
            with gateway.client(source="127.0.0.3") as other:
                self.assertEqual(other.get("/").status, 200)
            clients.pop().close()
            wait_until(lambda: self.is_served(gateway), "there is room again")
            for client in clients:
                client.close()

    def assert_shed(self, gateway):
        with gateway.client() as client:
            client.ask()
            try:
                self.assertEqual(client.read().status, 503)
            except (Truncated, OSError):
                pass  # closing without an answer is allowed, too

    @staticmethod
    def is_served(gateway):
        try:
            return gateway.fetch("/").status == 200
        except (Truncated, OSError):
            return False

    def test_ten_thousand_idle_connections_cost_little(self):
        wanted, spare = 10000, 500
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        count = min(wanted, hard - spare)
        if count < 1000:
            self.skipTest("only %d file descriptors are allowed here" % hard)
        if SANITIZER:
            count = 500  # checks that all are freed; under a sanitizer the memory says nothing about their cost
        with Stage() as stage:
            gateway = stage.gateway(stage.origin(), {"server": {"max_connections": 20000, "idle_timeout": "300s"}})
            gateway.fetch("/")
            before = gateway.rss()
            clients = []
            try:
                for _ in range(count):
                    client = Client(gateway.port)
                    clients.append(client)
                    client.ask()
                    client.read()
                wait_until(lambda: gateway.metric_sum("gateway_active_connections") >= count, "all are connected")
                each = (gateway.rss() - before) / count
                print("%d idle connections: %d bytes of RSS each" % (count, each), flush=True)
                if not SANITIZER:
                    self.assertLessEqual(each, 6 * 1024)
            finally:
                for client in clients:
                    client.close()
            wait_until(lambda: gateway.metric_sum("gateway_active_connections") <= 2, "all are gone")


if __name__ == "__main__":
    main()
