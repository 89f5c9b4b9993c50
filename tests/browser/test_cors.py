"""CORS as a browser sees it: pages in Chromium, headless, on other origins than the gateway's. `make test-browser` runs it.

The exchanges themselves are tested without a browser in tests/integration/test_cors.py."""
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading

from stage import Scene, main

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"]
# Each line of `asked`: a name, a path, whether with credentials, and a JSON body or null. What the script may read, or "blocked".
PAGE = """<!doctype html><script>
const asked = %s, read = {};
(async () => {
    for (const [name, url, credentials, body] of asked) {
        const options = {credentials: credentials ? "include" : "omit"};
        if (body) Object.assign(options, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
        try {
            const answer = await fetch(url, options);
            read[name] = [answer.status, await answer.text()];
        } catch (error) { read[name] = "blocked"; }
    }
    await fetch("/read", {method: "POST", body: JSON.stringify(read)});
})();
</script>"""


class Site:
    """One origin: serves a page, and hears what its script could read. Another port of 127.0.0.1, so that cookies are sent."""

    def __init__(self):
        self.page, self.read, self.is_read = "", None, threading.Event()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(site.page.encode() if self.path == "/" else b"")

            def do_POST(self):
                site.read = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(b"")
                site.is_read.set()

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def fetch(self, asked):
        """asked: rows for PAGE. Gives what the script could read, by name."""
        self.page, self.read = PAGE % json.dumps(asked), None
        self.is_read.clear()
        folder = tempfile.mkdtemp(prefix="visara-gateway-browser-")
        with open(os.path.join(folder, "log"), "wb") as log:
            browser = subprocess.Popen([CHROMIUM, *FLAGS, "--user-data-dir=" + os.path.join(folder, "data"), self.origin + "/"], stdout=log, stderr=log,
                                       env={**os.environ, "HOME": folder}, start_new_session=True)
            try:
                if not self.is_read.wait(60):
                    with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as said:
                        raise AssertionError("the page's script did not end: " + said.read()[-2000:])
            finally:
                browser.terminate()
                try:
                    browser.wait(10)
                except subprocess.TimeoutExpired:
                    browser.kill()
                    browser.wait()
                shutil.rmtree(folder, ignore_errors=True)
        return self.read


class Cors(Scene):
    @classmethod
    def set_stage(cls, stage):
        if not CHROMIUM:
            raise AssertionError("chromium is not installed: make test-browser installs it")
        cls.friend, cls.stranger = Site(), Site()
        stage.actors += [cls.friend, cls.stranger]
        cls.strict = stage.gateway(stage.example("tests/support/cors_app.py", CORS_ORIGIN=cls.friend.origin), {"cache": {"enabled": True}})
        cls.silent = stage.gateway(stage.example(), {"cache": {"enabled": True}})
        cls.down = stage.gateway("http://127.0.0.1:1")
        cls.named = stage.gateway("http://127.0.0.1:%d" % cls.strict.port,
                                  {"cors": {"origins": [cls.stranger.origin], "credentials": True}})  # another than the backend's

    def rows(self, gateway):
        url = "http://127.0.0.1:%d" % gateway.port
        return [["login", url + "/login", True, None], ["me", url + "/me", True, None], ["post", url + "/json", True, {"a": 1}],
                ["stored", url + "/stored", True, None], ["stored again", url + "/stored?again", True, None]]

    def test_the_origin_that_the_backend_names_reads_with_credentials(self):
        self.strict.fetch("/stored")  # stored for a request without Origin, as of a page of the backend's own
        self.assertEqual(self.friend.fetch(self.rows(self.strict)), {
            "login": [200, '"logged in"'], "me": [200, '"alice"'], "post": [200, '{"said":{"a":1},"who":"alice"}'],
            "stored": [200, '"stored"'], "stored again": [200, '"stored"']})

    def test_another_does_not(self):
        self.assertEqual(set(map(str, self.stranger.fetch(self.rows(self.strict)).values())), {"blocked"})

    def test_origins_of_the_gateways_own_count_instead(self):
        self.assertEqual(self.stranger.fetch(self.rows(self.named))["post"], [200, '{"said":{"a":1},"who":"alice"}'])
        self.assertEqual(set(map(str, self.friend.fetch(self.rows(self.named)).values())), {"blocked"})

    def test_where_nobody_speaks_all_may_read_without_credentials(self):
        url = "http://127.0.0.1:%d" % self.silent.port
        read = self.friend.fetch([["get", url + "/reports/1", False, None], ["post", url + "/reports", False, {"title": "From a browser"}],
                                  ["with credentials", url + "/reports/1", True, None], ["put away", url + "/none", False, {"a": 1}]])
        self.assertEqual([read[name][0] for name in ("get", "post", "put away")], [200, 201, 404])
        self.assertEqual(read["with credentials"], "blocked")

    def test_a_script_reads_that_the_backend_is_down(self):
        read = self.friend.fetch([["post", "http://127.0.0.1:%d/x" % self.down.port, False, {"a": 1}]])
        self.assertEqual(read["post"][0], 502)


if __name__ == "__main__":
    main()
