"""Instances that start together: from the first request on, each one counts the others that share the limit when Redis is away."""
import signal
import threading
import time

from redis_stage import RedisServer
from stage import Port, Scene, Stage, in_parallel, main, wait_until

RATE, BURST, COST, COUNT = 50, 25, 1, 3


def config(url, **redis):
    return {"redis": dict({"url": url}, **redis), "limits": {"enabled": True, "rate": "%d/s" % RATE, "burst": BURST}, "server": {"workers": 1}}


def redis_word(gateway):
    return gateway.fetch("/gateway/health").json()["redis"]


class Starting(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.origin = stage.origin()

    def redis(self):
        server = RedisServer()
        self.addCleanup(server.stop)
        return server

    def started(self, stage, url):
        gateways = [stage.gateway(self.origin, config(url), ready=False) for _ in range(COUNT)]
        in_parallel(COUNT, lambda index: gateways[index].wait_until_ready(gateways[index].port, "/gateway/health"))
        return gateways

    def test_each_has_counted_all(self):
        server = self.redis()
        with Stage() as stage:
            for gateway in self.started(stage, server.url):
                self.assertEqual(gateway.stats()["instances"], COUNT)

    def test_a_new_instance_is_counted_before_it_serves(self):
        server = self.redis()
        with Stage() as stage:
            first = stage.gateway(self.origin, config(server.url))
            wait_until(lambda: redis_word(first) == "up", "it has reached Redis")
            self.assertEqual(first.stats()["instances"], 1)
            second = stage.gateway(self.origin, config(server.url))
            self.assertEqual((first.stats()["instances"], second.stats()["instances"]), (2, 2))

    def test_an_outage_right_after_the_start_grants_no_more_than_any_other(self):
        """r(W + s) + 3b + N c, as README promises, with the W and s of this machine."""
        server = self.redis()
        with Stage() as stage:
            gateways = self.started(stage, server.url)
            began = time.monotonic()
            server.kill()
            admitted, noticed, over = [0] * COUNT, [0.0] * COUNT, threading.Event()

            def flood(index):
                with gateways[index].client() as client:
                    while not over.is_set():
                        admitted[index] += client.get("/").status == 200

            def watch(index):
                wait_until(lambda: redis_word(gateways[index]) == "down", "it is noticed")
                noticed[index] = time.monotonic()
                if all(noticed) and not over.wait(2):
                    over.set()
            in_parallel(2 * COUNT, lambda index: flood(index) if index < COUNT else watch(index - COUNT))
            window, apart = time.monotonic() - began, max(noticed) - began
            self.assertLessEqual(sum(admitted), RATE * (window + apart) + 3 * BURST + COUNT * COST)

    def test_without_redis_it_starts_all_the_same(self):
        lease = Port()
        self.addCleanup(lease.release)
        frozen = self.redis()
        frozen.freeze()
        with Stage() as stage:
            for url in ("redis://127.0.0.1:%d" % lease.number, frozen.url):
                gateway = stage.gateway(self.origin, config(url, connect_timeout="60s", timeout="60s"))
                self.assertEqual(gateway.fetch("/").status, 200)
            frozen.thaw()

    def test_a_signal_ends_the_wait(self):
        frozen = self.redis()
        frozen.freeze()
        with Stage() as stage:
            gateway = stage.gateway(self.origin, config(frozen.url, connect_timeout="60s", timeout="60s"), ready=False)
            wait_until(lambda: handles(gateway, signal.SIGTERM), "it listens to signals")
        frozen.thaw()  # the stage has ended it


def handles(gateway, number):
    """Whether the process catches the signal already."""
    with open("/proc/%d/status" % gateway.process.pid, encoding="ascii") as file:
        caught = next(line for line in file if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


if __name__ == "__main__":
    main()
