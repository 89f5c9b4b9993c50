"""The reason why Redis cannot be used is reported in the words of Redis or the system: in the health page, and in one line of the log,
even if many connections see it."""
import contextlib
import json
import os
import socketserver
import threading

from redis_stage import RedisError, RedisServer
from stage import Port, Scene, main, wait_until

ATTEMPTS = 8  # of three connections, and of the pair that gets invalidations


def config(url, **more):
    return {"redis": dict({"url": url, "timeout": "10s"}, **more), "cache": {"enabled": True}, "limits": {"enabled": True, "rate": "100000/s", "burst": 100000},
            "server": {"workers": 2}}


def node(gateway):
    return gateway.fetch("/gateway/health").json()["redis_nodes"][0]


def complaints(gateway):
    """Warnings and errors of the log that are about Redis."""
    lines = [json.loads(line) for line in gateway.errors().decode().splitlines() if line.startswith("{")]
    return [line["message"] for line in lines if line["level"] in ("warn", "error") and line["area"] in ("store", "cache", "limit")]


class Causes(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()

    def redis(self, *arguments):
        server = RedisServer(*arguments)
        self.addCleanup(server.stop)
        return server

    def tells(self, gateway, reason, detail, sentence, attempts):
        """attempts(): the growing number of attempts so far."""
        wait_until(lambda: node(gateway).get("reason") == reason, "%s: %r" % (reason, node(gateway)))
        before = attempts()
        for number in range(20):
            self.assertEqual(gateway.fetch("/%d" % number).status, 200)
        wait_until(lambda: attempts() >= before + ATTEMPTS, "it is tried again")
        self.assertEqual(node(gateway)["reason"], reason)
        self.assertIn(detail, node(gateway)["detail"])
        told = complaints(gateway)
        self.assertEqual(len(told), 1, told)
        self.assertIn(sentence, told[0])
        self.assertIn(detail, told[0])
        return told[0]

    def connections(self, server):
        return lambda: int(server.info("stats")["total_connections_received"])

    def from_the_start(self, server, url, reason, detail, sentence, **more):
        gateway = self.stage.gateway(self.origin, config(url, **more))
        return self.tells(gateway, reason, detail, sentence, self.connections(server))

    def while_it_runs(self, server, url, act, reason, detail, sentence):
        gateway = self.stage.gateway(self.origin, config(url))
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "the gateway has reached Redis")
        act()
        self.tells(gateway, reason, detail, sentence, self.connections(server))
        return gateway

    def test_a_database_that_is_not_there(self):
        server = self.redis()
        self.from_the_start(server, server.url + "/99", "refused", "ERR DB index is out of range", "it refuses to serve")

    def test_a_wrong_password(self):
        server = self.redis()
        server.cli("CONFIG", "SET", "requirepass", "right")
        server.log_in(None, "right")
        told = self.from_the_start(server, server.url.replace("redis://", "redis://:hunter2@"), "auth", "WRONGPASS ", "it refuses user, password or a command")
        self.assertNotIn("hunter2", told)

    def test_no_password(self):
        server = self.redis()
        server.cli("CONFIG", "SET", "requirepass", "right")
        server.log_in(None, "right")
        self.from_the_start(server, server.url, "auth", "NOAUTH Authentication required", "it refuses user, password or a command")

    def test_a_user_without_a_command(self):
        server = self.redis()
        server.cli("ACL", "SETUSER", "gateway", "on", ">secret", "~*", "&*", "+@all", "-zadd")
        self.from_the_start(server, server.url.replace("redis://", "redis://gateway:secret@"), "auth", "NOPERM ", "it refuses user, password or a command")

    def test_too_many_clients(self):
        server = self.redis()
        attempts = self.connections(server)
        attempts()  # this connection of the test still works
        server.cli("CONFIG", "SET", "maxclients", "1")
        gateway = self.stage.gateway(self.origin, config(server.url))
        self.tells(gateway, "refused", "ERR max number of clients reached", "it refuses to serve", lambda: int(server.info("stats")["rejected_connections"]))

    def test_a_replica(self):
        server, other = self.redis(), self.redis()
        self.while_it_runs(server, server.url, lambda: server.cli("REPLICAOF", other.host, other.port), "readonly", "", "it takes no writes")

    def test_too_few_replicas(self):
        server = self.redis()
        self.while_it_runs(server, server.url, lambda: server.cli("CONFIG", "SET", "min-replicas-to-write", "1"), "readonly", "NOREPLICAS ", "it takes no writes")

    def test_a_disk_that_cannot_be_written(self):
        server = self.redis()
        folder = os.path.join(server.folder, "gone")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        server.restart(["--dir", folder])

        def lose_the_disk():
            os.rmdir(folder)
            server.cli("CONFIG", "SET", "save", "3600 1")
            server.cli("BGSAVE")
            wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "it could not save")
        self.while_it_runs(server, server.url, lose_the_disk, "readonly", "MISCONF ", "it takes no writes")

    def test_loading(self):
        server = self.redis()
        server.restart(["--dir", server.folder])
        for _ in range(20):
            server.cli("EVAL", "for i = 1, 500 do redis.call('SET', KEYS[1] .. i .. ARGV[1], i) end", "1", "k", str(_))
        server.cli("SAVE")
        server.restart(["--dir", server.folder, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"], ready=False)

        def is_loading():
            with contextlib.suppress(OSError, RedisError), server.connect() as link:
                link.send("PING")
                return str(link.read()).startswith("LOADING")
        wait_until(is_loading, "it loads")
        self.from_the_start(server, server.url, "loading", "LOADING ", "it is not ready to serve")

    def test_out_of_memory(self):
        server = self.redis()
        gateway = self.stage.gateway(self.origin, config(server.url))
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "the gateway has reached Redis")
        server.cli("CONFIG", "SET", "maxmemory", "1")
        for number in range(20):
            self.assertEqual(gateway.fetch("/%d" % number).status, 200)
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "full", "it is full")
        self.assertIn("OOM ", node(gateway)["detail"])
        self.assertEqual(len(complaints(gateway)), 1, complaints(gateway))
        self.assertIn("it has no memory for what is written (OOM ", complaints(gateway)[0])

    def test_killed(self):
        server = self.redis()
        gateway = self.stage.gateway(self.origin, config(server.url))
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "the gateway has reached Redis")
        self.assertEqual((gateway.fetch("/").status, gateway.metric("gateway_limiter_local_decisions_total")), (200, 0))
        server.kill()
        wait_until(lambda: node(gateway).get("reason") == "connect", "it is noticed, and tried again")
        self.assertEqual((gateway.fetch("/").status, gateway.metric("gateway_limiter_local_decisions_total")), (200, 1))
        self.assertIn("refused", node(gateway)["detail"])
        self.assertEqual(len(complaints(gateway)), 1, complaints(gateway))
        server.restart()
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "it is found again")

        def is_shared():
            before = gateway.metric("gateway_limiter_local_decisions_total")
            with gateway.client() as client:  # one connection, one exchange after the other
                return [client.get("/").status for _ in range(5)] == [200] * 5 and gateway.metric("gateway_limiter_local_decisions_total") == before
        wait_until(is_shared, "Redis decides again")

    def test_frozen(self):
        """A missing answer is no matter of permissions."""
        server = self.redis()
        gateway = self.stage.gateway(self.origin, config(server.url, timeout="100ms", connect_timeout="200ms"))
        wait_until(lambda: gateway.fetch("/gateway/health").json()["redis"] == "up", "the gateway has reached Redis")
        server.freeze()
        self.assertEqual(gateway.fetch("/").status, 200)
        wait_until(lambda: "log-in" in node(gateway).get("detail", ""), "it is noticed, and tried again")
        self.assertEqual(node(gateway)["reason"], "silent")
        self.assertEqual(len(complaints(gateway)), 1, complaints(gateway))
        self.assertIn("it does not answer in time (nothing came for redis.timeout)", complaints(gateway)[0])
        server.thaw()

    def test_another_server(self):
        seen = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                seen.append(self.request.recv(65536))
                self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                gateway = self.stage.gateway(self.origin, config("redis://127.0.0.1:%d" % server.server_address[1]))
                self.tells(gateway, "nonsense", "HTTP/1.1 400 Bad Request", "its answers make no sense", lambda: len(seen))
            finally:
                server.shutdown()

    def test_no_server(self):
        lease = Port()
        self.addCleanup(lease.release)
        gateway = self.stage.gateway(self.origin, config("redis://127.0.0.1:%d" % lease.number))
        wait_until(lambda: node(gateway).get("reason") == "connect", "it is tried")
        self.assertIn("refused", node(gateway)["detail"])
        self.assertEqual(len(complaints(gateway)), 1, complaints(gateway))
        self.assertIn("it cannot be reached", complaints(gateway)[0])

    def test_an_unknown_name(self):
        gateway = self.stage.gateway(self.origin, config("redis://nowhere.invalid"))
        wait_until(lambda: node(gateway).get("reason") == "connect", "it is tried")
        self.assertTrue(node(gateway)["detail"])
        self.assertEqual(len(complaints(gateway)), 1, complaints(gateway))


if __name__ == "__main__":
    main()
