"""When the backend fails: 502 and 504 with a JSON body. A request that may have had its effect is never sent twice."""
import contextlib
import socket
import ssl
import subprocess
import threading

from stage import PATIENCE, Port, Scene, Stage, Truncated, main, reply, wait_until


class ABackend(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.gateway = stage.gateway(cls.origin, {"backend": {"response_timeout": "300ms", "read_timeout": "300ms", "retries": 1}})

    def test_that_refuses_is_502(self):
        port = Port()
        with Stage() as stage:
            gateway = stage.gateway("http://127.0.0.1:%d" % port.number)
            with gateway.client() as client:
                self.assert_error(client.get("/"), 502)
                client.ask("HEAD", "/")
                self.assertEqual((client.read().status), 502)
                client.ask("POST", "/", [], b"x" * 1000)
                self.assert_error(client.read(), 502)
            self.assert_error(gateway.fetch("/", method="PUT", body=[b"x" * 100000] * 10, chunked=True), 502)
        port.release()

    def test_that_has_no_address_is_502(self):
        with Stage() as stage:
            gateway = stage.gateway("http://no-such-host.invalid:8000")
            self.assert_error(gateway.fetch("/"), 502)

    def test_that_does_not_answer_is_504(self):
        self.origin.on("/silent", lambda call: call.wait_for_close())
        self.assert_error(self.gateway.fetch("/silent"), 504)
        self.assert_error(self.gateway.fetch("/silent", method="POST", body=b"x"), 504)
        self.assertEqual([request.method for request in self.origin.seen("/silent")], ["GET", "POST"])

    def test_that_falls_silent_is_cut(self):
        for data in (reply(fields=[("Content-Length", "9")]) + b"abc", reply(chunked=True)[:-5] + b"3\r\nabc\r\n"):
            with self.subTest(data), self.gateway.client() as client:
                self.origin.on("/falls-silent", lambda call, data=data: (call.send(data), call.wait_for_close()))
                client.ask(target="/falls-silent")
                with self.assertRaises(Truncated):
                    client.read()

    def test_that_closes_a_kept_connection_is_asked_again_where_that_is_safe(self):
        def die_once(call):
            if call.number == 1:
                call.close()
            call.respond(body=b"at last")
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            path = "/dies/%s" % method
            self.origin.on(path, die_once)
            with self.subTest(method), self.gateway.client() as client:
                self.assertEqual(client.get("/").status, 200)  # now there is a connection to reuse
                client.ask(method, path)
                self.assertEqual(client.read().status, 200)
                self.assertEqual(self.origin.count(path), 2)

    def test_that_resets_a_kept_connection_is_asked_again_where_that_is_safe(self):
        def die_once(call):
            if call.number == 1:
                call.reset()
            call.respond(body=b"at last")
        self.origin.on("/resets", die_once)
        with self.gateway.client() as client:
            client.get("/")
            self.assertEqual(client.get("/resets").body, b"at last")

    def test_never_gets_a_post_twice(self):
        for end in ("close", "reset"):
            for fields, body, chunked in (([], b"hello", False), ([], [b"hello"], True), ([], b"", False), ([("Expect", "100-continue")], b"hello", False)):
                path = "/once/%s/%d%d%d" % (end, len(body), chunked, len(fields))
                self.origin.on(path, lambda call, end=end: getattr(call, end)())
                with self.subTest(path), self.gateway.client() as client:
                    self.assertEqual(client.get("/").status, 200)
                    client.ask("POST", path, fields, body, chunked=chunked)
                    self.assert_error(client.read(), 502)
                    self.assertEqual(self.origin.count(path), 1)
        for method in ("POST", "PATCH", "PROPFIND", "BREW", "get"):  # the gateway does not know that the last three are safe
            path = "/once/bare/" + method
            self.origin.on(path, lambda call: call.close())
            with self.subTest(path), self.gateway.client() as client:
                client.get("/")
                client.ask(method, path)
                self.assert_error(client.read(), 502)
                self.assertEqual(self.origin.count(path), 1)

    def test_is_not_asked_without_end(self):
        self.origin.on("/always-dies", lambda call: call.close())
        self.assert_error(self.gateway.fetch("/always-dies"), 502)
        self.assertLessEqual(self.origin.count("/always-dies"), 2)

    def test_that_closed_a_kept_connection_meanwhile_is_not_noticed_by_the_client(self):
        gone = threading.Event()

        def say(call):
            call.respond(body=b"bye")
            gone.set()
            call.close()
        self.origin.on("/bye", say)
        with self.gateway.client() as client:
            for _ in range(20):
                gone.clear()
                self.assertEqual(client.get("/bye").body, b"bye")
                gone.wait(10)
                self.assertEqual(client.get("/").body, b"origin")

    def test_that_answers_500_is_passed_on_as_it_is(self):
        self.origin.on("/500", status=500, body=b"theirs")
        response = self.gateway.fetch("/500")
        self.assertEqual((response.status, response.body), (500, b"theirs"))
        self.assertEqual(self.origin.count("/500"), 1)

    def test_is_let_go_when_its_client_has_left(self):
        closed = []
        self.origin.on("/left", lambda call: closed.append(call.wait_for_close()))
        with Stage() as stage:
            patient = stage.gateway(self.origin)
            client = patient.client()
            client.ask(target="/left")
            wait_until(lambda: self.origin.count("/left"), "the backend was asked")
            client.close()
            wait_until(lambda: closed, "its connection was closed")


class ABackendThatDoesNotAccept(Scene):
    def test_leaves_nothing_behind_when_its_clients_leave(self):
        """The poll of a connection that was never completed must not be used for the next socket of the same number."""
        with contextlib.ExitStack() as sockets, Stage() as stage:
            deaf = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            for _ in range(3):  # fill the queue, so that further connections are neither accepted nor refused
                waiting = sockets.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(deaf.getsockname())
            origin = stage.origin()
            gateway = stage.gateway("http://127.0.0.1:%d" % deaf.getsockname()[1], {
                "backend": {"connect_timeout": "%ds" % PATIENCE}, "routes": [{"name": "served", "path": "/served", "backend": [origin.url]}]})
            idle = min(gateway.metric_sum("gateway_requests_in_flight") for _ in range(20))
            for _ in range(10):
                clients = [gateway.client() for _ in range(5)]
                for client in clients:
                    client.ask(target="/deaf")
                wait_until(lambda: gateway.metric_sum("gateway_requests_in_flight") == idle + 5, "all wait")
                for client in clients:
                    client.close()
                wait_until(lambda: gateway.metric_sum("gateway_requests_in_flight") == idle, "all are gone")
                for _ in range(3):
                    self.assertEqual(gateway.fetch("/served").body, b"origin")


class Tls(Scene):
    def test_is_verified(self):
        with Stage() as stage:
            key, certificate = stage.folder + "/key.pem", stage.folder + "/certificate.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            origin = stage.origin(tls=context)
            url = "https://localhost:%d" % origin.port
            transport = {"backend": {"transport": "auto", "tls_ca_file": certificate}}
            knows = stage.gateway(url, transport)
            self.assertEqual(knows.fetch("/secure").body, b"origin")
            self.assertEqual(knows.fetch("/secure", method="POST", body=b"x" * 100000).status, 200)
            self.assertEqual(len(origin.last("/secure").body), 100000)
            doubts = stage.gateway(url, {"backend": {"transport": "auto"}})
            self.assert_error(doubts.fetch("/doubted"), 502)
            misnamed = stage.gateway("https://127.0.0.1:%d" % origin.port, transport)
            self.assert_error(misnamed.fetch("/doubted"), 502)
            careless = stage.gateway("https://127.0.0.1:%d" % origin.port, {"backend": {"transport": "auto", "tls_verify": False}})
            self.assertEqual(careless.fetch("/careless").body, b"origin")
            self.assertEqual(origin.count("/doubted"), 0)


if __name__ == "__main__":
    main()
