"""rediss:// as a whole: gateways and a redis-server that speaks TLS. If hiredis has no TLS (Debian 12), the URL is refused at the start."""
import subprocess
import unittest

from redis_stage import Certificate, RedisServer
from stage import BINARY, Port, Scene, clean_environment, main, wait_until

FRESH = [("Cache-Control", "max-age=60")]


def has_tls():
    told = subprocess.run([BINARY, "--check-config"], env=clean_environment(REDIS_URL="rediss://h", BACKEND_URL="http://h"), capture_output=True, text=True, check=False)
    return "has no TLS" not in told.stderr


def config(url, authority=None, **more):
    redis = dict({"url": url, "connect_timeout": "10s", "timeout": "10s"}, **more)
    if authority:
        redis["tls_ca_file"] = authority
    # one token an hour: only the burst is admitted, whichever instance is asked
    return {"redis": redis, "cache": {"enabled": True}, "limits": {"enabled": True, "rate": "1/h", "burst": 6}, "server": {"workers": 2}}


def node(gateway):
    return gateway.fetch("/gateway/health").json()["redis_nodes"][0]


@unittest.skipUnless(has_tls(), "this gateway's hiredis has no TLS (Debian 12)")
class Rediss(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()
        cls.certificate = Certificate(stage.folder, "redis", "DNS:localhost")
        cls.stranger = Certificate(stage.folder, "stranger", "DNS:localhost,IP:127.0.0.1")

    def server(self, certificate=None):
        server = RedisServer(certificate=certificate)
        self.addCleanup(server.stop)
        return server

    def is_bridged(self, url, authority, **more):
        """A gateway whose Redis cannot be used answers on its own, and keeps its own limit. Returns the line of its health page about
        Redis."""
        gateway = self.stage.gateway(self.origin, config(url, authority, **more))
        wait_until(lambda: node(gateway).get("reason", "none") != "none", "the first attempt has failed")
        statuses = [gateway.fetch("/", [("Cache-Control", "no-store")]).status for _ in range(10)]
        self.assertIn(statuses, ([200] * n + [429] * (10 - n) for n in range(6, 8)))  # an hour's token may come in between
        self.assertEqual(gateway.fetch("/gateway/health").json()["status"], "degraded")
        return gateway, node(gateway)

    def test_limits_and_cache_are_shared(self):
        server = self.server(self.certificate)
        self.origin.on("/shared", fields=FRESH, body=b"shared")
        first, second = (self.stage.gateway(self.origin, config("rediss://localhost:%d" % server.port, self.certificate.path)) for _ in range(2))
        for gateway in (first, second):
            wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "it has reached Redis")
        self.assertEqual(first.fetch("/shared").body, b"shared")
        wait_until(lambda: server.cli("KEYS", "gw:cache:*"), "it is stored")
        self.assertEqual(second.fetch("/shared").body, b"shared")
        self.assertEqual(self.origin.count("/shared"), 1)
        statuses = [gateway.fetch("/shared").status for gateway in (first, second) * 4]
        self.assertEqual(statuses, [200] * 4 + [429] * 4)

    def test_a_large_response_goes_both_ways(self):
        server = self.server(self.certificate)
        body = bytes(range(256)) * 2000
        self.origin.on("/large", fields=FRESH, body=body)
        first, second = (self.stage.gateway(self.origin, config("rediss://localhost:%d" % server.port, self.certificate.path)) for _ in range(2))
        for gateway in (first, second):
            wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "it has reached Redis")
        self.assertEqual(first.fetch("/large").body, body)
        wait_until(lambda: server.cli("KEYS", "gw:cache:*"), "it is stored")
        self.assertEqual(second.fetch("/large").body, body)
        self.assertEqual(self.origin.count("/large"), 1)

    def test_another_authority_is_refused(self):
        server = self.server(self.certificate)
        for authority in (self.stranger.path, None):
            _, told = self.is_bridged("rediss://localhost:%d" % server.port, authority)
            self.assertEqual(told["reason"], "tls")
            self.assertRegex(told["detail"], "self.signed certificate")
        self.assertEqual(server.cli("KEYS", "*"), [])

    def test_another_name_is_refused(self):
        server = self.server(self.certificate)
        _, told = self.is_bridged("rediss://127.0.0.1:%d" % server.port, self.certificate.path)
        self.assertEqual((told["reason"], told["detail"]), ("tls", "IP address mismatch"))
        self.assertEqual(server.cli("KEYS", "*"), [])

    def test_a_plain_port_is_refused(self):
        server = self.server()
        _, told = self.is_bridged("rediss://localhost:%d" % server.port, self.certificate.path, connect_timeout="500ms")
        self.assertIn(told["reason"], ("tls", "silent"), told)  # Redis answers the handshake with an error, or waits for the end of a line
        self.assertRegex(told["detail"], "TLS", told)
        self.assertEqual(server.cli("KEYS", "*"), [])

    def test_a_tls_port_is_no_plain_one(self):
        server = self.server(self.certificate)
        _, told = self.is_bridged("redis://localhost:%d" % server.port, None, connect_timeout="500ms")
        self.assertEqual((told["reason"], told["detail"]), ("lost", "before the log-in was answered, as a port does that wants TLS"))

    def test_an_outage_is_bridged_and_ends(self):
        """For the time of several attempts no server listens: under AddressSanitizer the end of the stage sees memory that an attempt
        leaves behind."""
        server = self.server(self.certificate)
        gateway = self.stage.gateway(self.origin, config("rediss://localhost:%d" % server.port, self.certificate.path))
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "it has reached Redis")
        server.kill()
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "down", "it is noticed")
        self.assertEqual(gateway.fetch("/").status, 200)
        server.restart()
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "it is found again")
        self.assertEqual(gateway.fetch("/").status, 200)

    def test_no_server(self):
        lease = Port()
        self.addCleanup(lease.release)
        _, told = self.is_bridged("rediss://localhost:%d" % lease.number, self.certificate.path)
        self.assertEqual(told["reason"], "connect")
        self.assertIn("refused", told["detail"].lower())


if __name__ == "__main__":
    main()
