"""The fixture itself: every other test believes what it says."""
import signal
import socket
import subprocess
import sys
import unittest

from redis_stage import RedisError, RedisServer
from stage import wait_until


class TheFixture(unittest.TestCase):
    def setUp(self):
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)

    def test_each_server_is_empty_and_ones_own(self):
        with RedisServer("--maxmemory", "64mb") as other:
            self.redis.cli("SET", "a", b"\0\r\n\xff")
            self.assertEqual(self.redis.cli("GET", "a"), b"\0\r\n\xff")
            self.assertEqual(other.cli("DBSIZE"), 0)
            self.assertEqual(other.cli("CONFIG", "GET", "maxmemory")[1], b"67108864")
            self.assertEqual(other.cli("CONFIG", "GET", "save")[1], b"")

    def test_killed_and_restarted_it_is_empty_on_the_same_port(self):
        port = self.redis.port
        self.redis.cli("SET", "a", 1)
        self.redis.kill()
        with self.assertRaises(OSError), self.redis.connect() as client:
            client.command("PING")
        self.redis.restart()
        self.assertEqual((self.redis.cli("DBSIZE"), self.redis.port), (0, port))
        self.redis.restart(["--maxmemory", "1mb"])
        self.assertEqual(self.redis.cli("CONFIG", "GET", "maxmemory")[1], b"1048576")

    def test_frozen_it_says_nothing_until_it_thaws(self):
        with self.redis.connect() as client:
            client.command("PING")
            self.redis.freeze()
            client.sock.settimeout(0.3)
            client.send("PING")
            with self.assertRaises(socket.timeout):
                client.sock.recv(1)
            self.redis.thaw()
            client.sock.settimeout(10)
            self.assertEqual(client.sock.recv(16), b"+PONG\r\n")

    def test_a_frozen_one_is_stopped_too(self):
        self.redis.freeze()
        self.redis.stop()
        self.assertNotEqual(self.refused(), 0)

    def refused(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.redis.host, self.redis.port))

    def test_counts_commands(self):
        self.redis.cli("CONFIG", "RESETSTAT")
        self.redis.cli("EVAL", "redis.call('GET', 'a') return 1", 0)
        self.assertEqual([self.redis.calls(name) for name in ("eval", "get", "set")], [1, 1, 0])
        with self.assertRaises(RedisError) as caught:
            self.redis.cli("NOSUCH")
        self.assertEqual(caught.exception.code, "ERR")

    def test_goes_with_a_process_that_fails_or_is_told_to_end(self):
        for how in ("raise SystemExit(3)", "import time; time.sleep(60)"):
            script = "from redis_stage import RedisServer\nr = RedisServer()\nprint(r.port, flush=True)\n" + how
            child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            with child:
                port = int(child.stdout.readline())
                if "sleep" in how:
                    child.send_signal(signal.SIGTERM)
                child.wait(60)

            def is_gone():
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) != 0
            wait_until(is_gone, "nothing listens on %d" % port)


if __name__ == "__main__":
    unittest.main(verbosity=2)
