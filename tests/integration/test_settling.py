"""The answer to an unsafe method is held until Redis has the tombstone, or has been silent for redis.timeout: with any body, over both
transports, and whichever side closes meanwhile."""
import time

from redis_stage import RedisServer
from stage import Scene, Truncated, main, wait_until

BODIES = {"/none": {"status": 204}, "/empty": {}, "/short": {"body": b"gone"}, "/chunked": {"body": b"gone" * 5000, "chunked": True}}


class Settling(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin, cls.redis = stage.origin(), RedisServer()
        stage.actors.append(cls.redis)
        for path, canned in BODIES.items():
            cls.origin.on(path, fields=[("X-Mark", "kept")], **canned)
        cls.gateways = [stage.gateway(cls.origin, {"backend": {"transport": transport}, "cache": {"enabled": True},
                                                   "redis": {"url": cls.redis.url, "timeout": "300ms"}}) for transport in ("h1", "curl")]

    def tearDown(self):
        if self.redis.is_frozen:
            self.redis.thaw()
        for gateway in self.gateways:
            wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "Redis is back")
        super().tearDown()

    def ask_all(self, gateway):
        with gateway.client() as client:
            for path, canned in BODIES.items():
                client.ask("DELETE", path)
                response = client.read("DELETE")
                self.assertEqual((response.status, response.field("X-Mark"), response.body),
                                 (canned.get("status", 200), "kept", canned.get("body", b"")), path)

    def test_holds_any_answer_whole(self):
        for gateway in self.gateways:
            self.ask_all(gateway)

    def test_ends_where_redis_is_silent(self):
        for gateway in self.gateways:
            self.redis.freeze()
            self.ask_all(gateway)
            self.tearDown()

    def test_outlives_a_client_that_leaves(self):
        for gateway in self.gateways:
            self.redis.freeze()
            clients = [gateway.client() for _ in BODIES]
            before = self.origin.count()
            for client, path in zip(clients, BODIES):
                client.ask("DELETE", path)
            wait_until(lambda: self.origin.count() == before + len(BODIES), "all were asked")
            for client in clients:
                client.reset()
            wait_until(lambda: gateway.stats()["in_flight"] <= 1, "nothing is left of them")
            self.tearDown()

    def test_a_backend_that_cuts_its_answer(self):
        def cut(call):
            call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
            call.close()
        self.origin.on("/cut", cut)
        for gateway in self.gateways:
            self.redis.freeze()
            began = time.monotonic()
            try:
                self.assertIn(gateway.fetch("/cut", method="DELETE").status, (502, 504))
            except (Truncated, ConnectionError):
                pass
            self.assertLess(time.monotonic() - began, 10)
            self.tearDown()


if __name__ == "__main__":
    main()
