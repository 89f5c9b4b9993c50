"""The rows of the table against the gateway, one test each; all of them run at once, when the class is set up.

    GATEWAY_TEST_MODE    embedded (default); redis: two gateways over one Redis, the steps of a row in turn; redis_far: the same
                         without memory caches
    --table              prints the table as Markdown, and nothing else
    --only ID …          only these rows, with all details"""
import os
import sys
import unittest

from backend import Backend
from language import CONFIGS, MAY, MUST, SHOULD
from redis_stage import RedisServer
from runner import Runner
from stage import Stage, merged, wait_until
from table import ROWS

MODE = os.environ.get("GATEWAY_TEST_MODE", "embedded")
COMMON = {"server": {"workers": 2}, "cache": {"enabled": True}, "cors": {"enabled": False}, "limits": {"enabled": False}}
BY_NAME = {row.name: row for row in ROWS}


def config_of(name, redis):
    config = merged(COMMON, CONFIGS[name])
    if redis:
        config = merged(config, {"redis": {"url": redis.url, "timeout": "5s"}})
    if MODE == "redis_far":
        config = merged(config, {"cache": {"near_bytes": 0}})
    return config


def is_ready(gateway):
    """Waits until Redis is reached and the memory cache, if there is one, is kept coherent."""
    if gateway.fetch("/gateway/health").json()["redis"] != "up":
        return False
    return MODE == "redis_far" or gateway.stats().get("near_cache_coherent")


def set_up(stage, rows):
    """A Runner for the rows' configurations. A configuration that the gateway refuses fails only its rows."""
    redis = None
    if MODE != "embedded":
        redis = RedisServer()
        stage.actors.append(redis)
    backend = Backend()
    stage.actors.append(backend)
    gateways, refused = {}, {}
    for name in sorted({row.config for row in rows}):
        try:
            gateways[name] = [stage.gateway(backend, config_of(name, redis)) for _ in range(2 if redis else 1)]
        except AssertionError as fault:
            refused[name] = str(fault)
            stage.actors.pop()
            stage.gateways.pop()
    if redis:
        for gateway in stage.gateways:
            wait_until(lambda gateway=gateway: is_ready(gateway), "the gateway works over Redis")
    return Runner(backend, gateways), refused


class Conformance(unittest.TestCase):
    rows = ROWS

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        try:
            runner, cls.refused = set_up(cls.stage, cls.rows)
            results = runner.run_all([row for row in cls.rows if row.config not in cls.refused])
            cls.results = {result.row.name: result for result in results}
            for gateway in cls.stage.gateways:
                gateway.assert_lives()
        except BaseException:
            cls.stage.close(failed=True)
            raise
        again = [result for result in results if not result.fault and result.doubts]
        print("%s: %d rows, %d held only when tried again" % (MODE, len(results), len(again)), file=sys.stderr)
        for result in again:
            print(result.doubts[0].told(), file=sys.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def check(self, row):
        if row.config in self.refused:
            self.fail("%s: no gateway with the configuration %r: %s" % (row.name, row.config, self.refused[row.config]))
        result = self.results[row.name]
        if result.fault:
            self.fail("\n" + result.told())


def add_tests():
    for row in ROWS:
        def test(self, row=row):
            self.check(row)
        test.__doc__ = "%s %s: %s" % (row.section, row.level, row.sentence)
        setattr(Conformance, "test_" + row.name.replace("-", "_"), test)


def print_table():
    levels = [row.level for row in ROWS]
    print("%d rows: %s.\n" % (len(ROWS), ", ".join("%d %s" % (levels.count(level), level) for level in (MUST, SHOULD, MAY))))
    print("| section | level | rule | row |\n|---|---|---|---|")
    for row in ROWS:
        print("| %s | %s | %s | %s |" % (row.section, row.level, row.sentence.replace("|", "\\|"), row.name))


def run_only(names):
    unknown = [name for name in names if name not in BY_NAME]
    if unknown or not names:
        sys.exit("no row is called %s" % ", ".join(unknown or ["nothing"]))
    rows = [BY_NAME[name] for name in names]
    with Stage() as stage:
        runner, refused = set_up(stage, rows)
        if refused:
            sys.exit("\n".join(refused.values()))
        results = runner.run_all(rows)
        print("\n\n".join(result.told() for result in results))
    sys.exit(any(result.fault for result in results))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        print_table()
    elif sys.argv[1:2] == ["--only"]:
        run_only(sys.argv[2:])
    else:
        add_tests()
        unittest.main(verbosity=1)
