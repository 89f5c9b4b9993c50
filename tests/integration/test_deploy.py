"""What lies in deploy/: rules that hold, a dashboard whose every query returns data, files that parse."""
import http.client
import json
import os
import re
import shutil
import subprocess
import unittest
import urllib.parse

from redis_stage import RedisServer
from stage import ROOT, Port, Process, Scene, clean_environment, main, wait_until

DEPLOY = os.path.join(ROOT, "deploy")
DASHBOARD = os.path.join(DEPLOY, "grafana", "dashboards", "visara-gateway.json")


class Prometheus(Process):
    def __init__(self, folder, targets):
        self.lease = Port()
        self.port = self.lease.number
        home = os.path.join(folder, "prometheus")
        os.mkdir(home)
        shutil.copy(os.path.join(DEPLOY, "prometheus", "rules.yml"), home)
        with open(os.path.join(home, "prometheus.yml"), "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
                       "scrape_configs": [{"job_name": "visara-gateway", "metrics_path": "/gateway/metrics",
                                           "static_configs": [{"targets": targets}]}]}, file)  # JSON is YAML
        super().__init__(folder, "prometheus", ["prometheus", "--config.file=" + os.path.join(home, "prometheus.yml"),
                                               "--storage.tsdb.path=" + os.path.join(home, "data"),
                                               "--web.listen-address=127.0.0.1:%d" % self.port], clean_environment())

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
