"""The files in deploy/: rules that work, a dashboard whose every query returns data, files that parse."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import unittest
import urllib.parse

from redis_stage import RedisServer
from stage import PATIENCE, ROOT, Port, Process, Scene, Stage, clean_environment, main, wait_until

DEPLOY = os.path.join(ROOT, "deploy")
DASHBOARD = os.path.join(DEPLOY, "grafana", "dashboards", "visara-gateway.json")


class Prometheus(Process):
    """Prometheus with deploy/'s rules. Its targets stand in a file, so that a test can drop one, as service discovery does."""

    def __init__(self, folder, targets, rules=None):
        self.lease = Port()
        self.port = self.lease.number
        home = os.path.join(folder, "prometheus")
        os.mkdir(home)
        with open(os.path.join(home, "rules.yml"), "w", encoding="utf-8") as file:
            file.write(rules or shipped_rules())
        self.targets_path = os.path.join(home, "targets.json")
        self.discover(targets)
        with open(os.path.join(home, "prometheus.yml"), "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
                       "scrape_configs": [{"job_name": "visara-gateway", "metrics_path": "/gateway/metrics",
                                           "file_sd_configs": [{"files": [self.targets_path], "refresh_interval": "1s"}]}]}, file)  # JSON is YAML
        super().__init__(folder, "prometheus", ["prometheus", "--config.file=" + os.path.join(home, "prometheus.yml"),
                                               "--storage.tsdb.path=" + os.path.join(home, "data"),
                                               "--web.listen-address=127.0.0.1:%d" % self.port], clean_environment())

    def discover(self, targets):
        with open(self.targets_path + ".new", "w", encoding="utf-8") as file:
            json.dump([{"targets": targets}], file)
        os.replace(self.targets_path + ".new", self.targets_path)

    def query(self, expression):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
            answer = json.loads(link.getresponse().read())
        finally:
            link.close()
        if answer["status"] != "success":
            raise AssertionError("%s: %s" % (expression, answer))
        return answer["data"]["result"]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.lease.release()


def shipped_rules():
    with open(os.path.join(DEPLOY, "prometheus", "rules.yml"), encoding="utf-8") as file:
        return file.read()


def promtool(*arguments):
    run = subprocess.run(["promtool", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return run.returncode, run.stdout


@unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (Debian: prometheus)")
class Rules(unittest.TestCase):
    def test_rules_and_configuration_are_valid(self):
        for arguments in (["check", "rules", DEPLOY + "/prometheus/rules.yml"], ["test", "rules", DEPLOY + "/prometheus/rules_test.yml"],
                          ["check", "config", DEPLOY + "/prometheus/prometheus.yml"]):
            with self.subTest(arguments[0] + " " + arguments[1]):
                status, said = promtool(*arguments)
                self.assertEqual(status, 0, said)


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Alerts(unittest.TestCase):
    """The shipped rules see real faults. Only their waiting time is shorter here: `for` is 1 s each."""

    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.redis = RedisServer()
        self.stage.actors.append(self.redis)
        self.origin = self.stage.origin()
        self.origin.on("/broken", status=500)
        told = {"redis": {"url": self.redis.url}, "cache": {"enabled": True}}
        self.gateways = [self.stage.gateway(self.origin, told) for _ in range(2)]
        rules, shortened = re.subn(r"(?m)^( +for:) \w+$", r"\1 1s", shipped_rules())
        self.assertGreater(shortened, 8)
        self.targets = ["127.0.0.1:%d" % gateway.port for gateway in self.gateways]
        self.prometheus = Prometheus(self.stage.folder, self.targets, rules)
        self.stage.actors.append(self.prometheus)
        wait_until(lambda: self.value("visara:gateways:up") == 2, "both gateways are scraped")

    def value(self, expression):
        try:
            results = self.prometheus.query(expression)
        except (OSError, http.client.HTTPException, ValueError):
            return None  # Prometheus does not listen yet, or says "Service Unavailable"
        return float(results[0]["value"][1]) if results else None

    def firing(self):
        return {result["metric"]["alertname"] for result in self.prometheus.query('ALERTS{alertstate="firing"}')}

    def wait_for(self, alerts):
        wait_until(lambda: self.firing() == set(alerts), "exactly these alerts fire: %s; now: %s" % (alerts, self.firing()))

    def crash(self, gateway):
        gateway.end(signal.SIGKILL, PATIENCE)
        gateway.lease.release()
        self.stage.gateways.remove(gateway)
        self.stage.actors.remove(gateway)

    def failed(self, by):
        return self.value('sum(gateway_failed_requests_total{job="visara-gateway",by="%s"})' % by) or 0

    def test_a_replica_that_was_killed_is_missed_also_where_discovery_drops_it(self):
        self.crash(self.gateways[0])
        self.wait_for(["GatewayDown", "GatewayMissing"])
        self.prometheus.discover(self.targets[1:])
        self.wait_for(["GatewayMissing"])
        self.crash(self.gateways[1])
        self.prometheus.discover([])
        wait_until(lambda: "GatewayAllDown" in self.firing(), "the last gateway is missed")

    def test_clients_alone_wake_nobody_and_a_broken_backend_does(self):
        for _ in range(20):
            self.gateways[0].fetch("/nothing", [("Cache-Control", "only-if-cached")])
            with self.gateways[0].client() as client:
                client.send(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n")
                self.assertEqual(client.read().status, 505)
        wait_until(lambda: self.failed("client") == 40, "the clients' errors are counted: %s" % self.failed("client"))
        evaluations = self.evaluations()
        wait_until(lambda: self.evaluations() >= evaluations + 4, "the rules are evaluated after that")
        self.assertEqual((self.firing(), self.failed("backend"), self.failed("gateway")), (set(), 0, 0))
        for number in range(20):
            self.gateways[1].fetch("/broken?%d" % number)
        self.wait_for(["GatewayErrors"])

    def evaluations(self):
        """How often the alerts were evaluated: the sum over their group, by Prometheus' own count."""
        link = http.client.HTTPConnection("127.0.0.1", self.prometheus.port, timeout=10)
        try:
            link.request("GET", "/metrics")
            page = link.getresponse().read().decode()
        finally:
            link.close()
        found = re.search(r"(?m)^prometheus_rule_group_iterations_total\{[^}]*visara-gateway\.alerts[^}]*\} (\S+)$", page)
        return float(found[1]) if found else 0

    def test_redis_and_the_backend_are_told_when_they_stop(self):
        self.redis.kill()
        self.gateways[0].fetch("/")
        self.wait_for(["GatewayRedisDown"])
        self.redis.restart()
        self.wait_for([])
        self.stage.actors.remove(self.origin)
        self.origin.stop()
        for gateway in self.gateways:
            self.assertEqual(gateway.fetch("/once").status, 502)
        wait_until(lambda: "GatewayBackendDown" in self.firing(), "the backend is missed")


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Dashboard(Scene):
    @classmethod
    def set_stage(cls, stage):
        cls.redis = RedisServer()
        stage.actors.append(cls.redis)
        cls.origin = stage.origin()
        cls.origin.on("/fresh", fields=[("Cache-Control", "max-age=60")], body=b"x" * 100)
        cls.origin.on("/never", fields=[("Cache-Control", "no-store")])
        cls.origin.on("/broken", status=500)
        told = {"redis": {"url": cls.redis.url, "timeout": "5s"}, "cache": {"enabled": True}, "limits": {"enabled": True, "rate": "20/s", "burst": 5}}
        cls.gateways = [stage.gateway(cls.origin, told) for _ in range(2)]
        for gateway in cls.gateways:
            wait_until(lambda which=gateway: which.fetch("/gateway/health").json()["redis"] == "up", "Redis is reached")
        cls.prometheus = Prometheus(stage.folder, ["127.0.0.1:%d" % gateway.port for gateway in cls.gateways])
        stage.actors.append(cls.prometheus)
        wait_until(lambda: cls.scraped() == 2, "both gateways are scraped")

    @classmethod
    def scraped(cls):
        try:
            return len(cls.prometheus.query('up{job="visara-gateway"} == 1'))
        except (OSError, http.client.HTTPException, ValueError):
            return 0  # not yet listening, or "Service Unavailable"

    def traffic(self):
        for gateway in self.gateways:
            for path in ("/fresh", "/never", "/broken"):
                gateway.fetch(path)

    def test_every_panel_returns_data(self):
        with open(DASHBOARD, encoding="utf-8") as file:
            panels = json.load(file)["panels"]
        queries = [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 20)

        def empty():
            self.traffic()
            return [title for title, query in queries if not self.filled(query)]
        wait_until(lambda: not empty(), "every panel of the dashboard returns data; empty: %s" % empty())

    def filled(self, query):
        results = self.prometheus.query(query)
        return any(sample["value"][1] != "NaN" for sample in results)

    def test_every_metric_of_rules_and_dashboard_exists(self):
        page = self.gateways[0].fetch("/gateway/metrics").body.decode()
        known = set(re.findall(r"^# TYPE (\S+)", page, re.M))
        for name in ("prometheus/rules.yml", "grafana/dashboards/visara-gateway.json"):
            with open(os.path.join(DEPLOY, name), encoding="utf-8") as file:
                used = set(re.findall(r"\b(gateway_[a-z_]+|process_[a-z_]+)\b", file.read()))
            used = {re.sub(r"_(bucket|sum|count)$", "", metric) for metric in used}
            self.assertEqual(used - known, set(), name)


if __name__ == "__main__":
    main()
