"""The build as a packager runs it: with the packager's own flags, and on systems where it cannot work."""
import os
import shutil
import subprocess
import tempfile
import unittest

from stage import ROOT, main

FLAGS = {
    "another level of checks": "-O2 -D_FORTIFY_SOURCE=3",
    "the level undefined first": "-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3",
    "as dpkg-buildflags says": "-g -O2 -Werror=implicit-function-declaration -ffile-prefix-map=/a=. -fstack-protector-strong -fstack-clash-protection"
                               " -Wformat -Werror=format-security -fcf-protection -Wdate-time -D_FORTIFY_SOURCE=2",
    "all optimizations": "-O3",
    "for a debugger": "-Og -g",
    "none": "-O0",
}


class Building(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="visara-gateway-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def run_cmake(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "CPPFLAGS", "LDFLAGS")}
        run = subprocess.run(["cmake", *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return run.returncode, " ".join(run.stdout.split())

    def configure(self, name, *arguments):
        return self.run_cmake("-S", ROOT, "-B", os.path.join(self.folder, name), "-G", "Ninja", "-DGW_TESTS=OFF", *arguments)

    def test_flags_of_a_packager_are_taken(self):
        """One folder's library stands for all: the flags are the same. Warnings are errors here, so a warning would fail the test."""
        for number, (name, flags) in enumerate(FLAGS.items()):
            with self.subTest(name):
                status, told = self.configure(str(number), "-DCMAKE_C_FLAGS=" + flags, "-DCMAKE_BUILD_TYPE=None", "-DGW_WERROR=ON")
                self.assertEqual(status, 0, told)
                status, told = self.run_cmake("--build", os.path.join(self.folder, str(number)), "--target", "gw_base")
                self.assertEqual(status, 0, told)

    def test_a_warning_ends_a_build_only_if_that_was_asked_for(self):
        for number, (option, ends) in enumerate([([], False), (["-DGW_WERROR=ON"], True)]):
            status, told = self.configure(str(number), "-DCMAKE_C_FLAGS=-Wpadded", *option)
            self.assertEqual(status, 0, told)
            status, told = self.run_cmake("--build", os.path.join(self.folder, str(number)), "--target", "gw_base")
            self.assertEqual(status != 0, ends, told)

    def test_32_bits_are_refused_with_a_sentence(self):
        if subprocess.run(["uname", "-m"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip() != "x86_64":
            self.skipTest("-m32 is of x86_64")
        status, told = self.configure("32", "-DCMAKE_C_FLAGS=-m32", "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY")
        self.assertNotEqual(status, 0)
        self.assertIn("visara-gateway is for 64-bit systems", told)


if __name__ == "__main__":
    main()
