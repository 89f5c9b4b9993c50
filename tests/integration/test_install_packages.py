"""scripts/install-packages leaves no service behind: none is started or enabled, and no other service is blocked. Small scripts play
dpkg and apt."""
import os
import shutil
import subprocess
import tempfile
import unittest

from stage import ROOT, main

SCRIPT = os.path.join(ROOT, "scripts", "install-packages")
PLAYED = {
    "id": "echo 0",
    "dpkg-query": 'case "$*" in *Package*) cat "$PLAY/installed" 2>/dev/null | sed "s/^/installed /" ;; *) exit 1 ;; esac',
    "dpkg": 'echo "/usr/lib/systemd/system/$2.service"; echo "/usr/lib/systemd/system/$2-helper@.timer"; echo "/etc/init.d/$2"',
    "deb-systemd-helper": 'echo "$DPKG_MAINTSCRIPT_PACKAGE: $*" >>"$PLAY/disabled"',
    "update-rc.d": 'echo "$*" >>"$PLAY/disabled"',
    "apt-get": '[ "$1" = install ] || exit 0; "$INSTALL_PACKAGES_POLICY"; echo "policy $?" >"$PLAY/policy"; echo "Setting up redis-server (7) ..."\n'
               '[ ! -e "$PLAY/fail" ] || exit 100; echo redis-server >>"$PLAY/installed"',
    "apt-cache": "exit 0",
}


class InstallPackages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="visara-gateway-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.policy = os.path.join(self.folder, "policy-rc.d")
        for name, text in PLAYED.items():
            self.write(os.path.join("bin", name), "#!/bin/sh\n" + text + "\n")
        self.write("installed", "here-before\n")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def run_script(self):
        environment = {"PATH": os.path.join(self.folder, "bin") + ":/usr/bin:/bin", "PLAY": self.folder, "INSTALL_PACKAGES_POLICY": self.policy,
                       "TMPDIR": self.folder, "LC_ALL": "C.UTF-8"}
        return subprocess.run(["bash", SCRIPT, "test"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)

    def test_a_new_service_is_neither_started_nor_enabled(self):
        run = self.run_script()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(self.read("policy"), "policy 101\n")
        self.assertEqual(self.read("disabled").splitlines(), ["redis-server: disable redis-server-helper@.timer", "redis-server: disable redis-server.service",
                                                              "redis-server disable"])
        self.assertIn("neither started nor enabled", run.stdout)
        self.assertFalse(os.path.exists(self.policy), "the policy goes with the script")
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("tmp")], [])

    def test_the_policy_that_was_there_stays(self):
        self.write("policy-rc.d", "#!/bin/sh\nexit 42\n")
        self.run_script()
        self.assertEqual(self.read("policy"), "policy 101\n")
        self.assertIn("exit 42", self.read("policy-rc.d"))

    def test_a_failed_installation_fails_and_leaves_nothing(self):
        self.write("fail", "")
        run = self.run_script()
        self.assertNotEqual(run.returncode, 0)
        self.assertFalse(os.path.exists(self.policy))


if __name__ == "__main__":
    main()
