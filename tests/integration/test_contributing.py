"""The code that CONTRIBUTING.md shows a newcomer is written as the page says, builds, and passes the page's own test."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from stage import ROOT, SANITIZER, clean_environment, main

BUILD_S = 280  # a bound for a busy machine; an idle one needs a tenth of that


def section(title):
    with open(os.path.join(ROOT, "CONTRIBUTING.md"), encoding="utf-8") as file:
        page = file.read()
    return re.search(r"^## %s\n(.*?)(?=^## )" % re.escape(title), page, re.M | re.S)[1]


class Tree:
    """A copy of the files from which the gateway is built; nothing is written into the tree itself."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "tree")
        for name in ("cmake", "gateway", "redis", os.path.join("tests", "support")):
            shutil.copytree(os.path.join(ROOT, name), os.path.join(self.folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(os.path.join(ROOT, "CMakeLists.txt"), self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, command, **environment):
        done = subprocess.run(command, cwd=self.folder, env=clean_environment(**environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=BUILD_S, check=False)
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, "%s: %s" % (" ".join(command), said[-4000:])
        return said

    def build(self):
        """The binary's path, and the compiler's output. ccache, if it is there, knows most files already, because the copy's place is no
        part of its keys."""
        cached = {"CMAKE_C_COMPILER_LAUNCHER": "ccache", "CCACHE_BASEDIR": os.path.dirname(self.folder), "CCACHE_NOHASHDIR": "1"} if shutil.which("ccache") else {}
        self.run(["cmake", "-S", self.folder, "-B", self.path("build"), "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O0", "-DGW_TESTS=OFF"], **cached)
        said = self.run(["cmake", "--build", self.path("build"), "--parallel", "2", "--target", "visara-gateway"], **cached)
        return self.path("build", "gateway", "visara-gateway"), said


class AddAFilter(unittest.TestCase):
    def setUp(self):
        self.text = section("Add a filter")
        blocks = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", self.text, re.M | re.S)
        self.blocks = [textwrap.dedent(block) for _, block in blocks]
        self.assertEqual([kind for kind, _ in blocks], ["c", "c", "c", "c", "python"])

    def named(self, pattern):
        """The file that follows these words on the page."""
        return re.search(pattern, self.text)[1]

    def test_its_table_is_the_trees_and_the_new_filter(self):
        with open(os.path.join(ROOT, "gateway", "assembly.c"), encoding="utf-8") as file:
            tree = re.search(r"gw_filter_table\[\] = \{(.*?)\}", file.read(), re.S)[1]
        self.assertEqual(self.blocks[2].replace("&gw_filter_api_key,", "").split(), tree.split())

    @unittest.skipIf(SANITIZER, "it builds a gateway of its own, the same beside each build")
    def test_builds_and_passes_its_test(self):
        error, source, table, declaration, test = self.blocks
        with tempfile.TemporaryDirectory(prefix="visara-gateway-page-") as folder:
            tree = Tree(folder)
            errors = self.named(r"one row in `([^`]+)`")
            head = "#define %s(X)" % self.named(r"\(here `([A-Z_]+)`\)")
            before, line, after = re.split(r"^(%s *\\\n)" % re.escape(head), tree.read(errors), maxsplit=1, flags=re.M)
            tree.write(errors, before + line + textwrap.indent(error, "    ") + after)
            name = self.named(r"one file, `([^`]+)`")
            tree.write(name, source)
            order = self.named(r"a word in `([^`]+)`")
            tree.write(order, re.sub(r"(gw_filter_table\[\] = \{\n).*?(\n\};)", lambda match: match[1] + table + match[2], tree.read(order), flags=re.S))
            names = self.named(r"declared in `([^`]+)`")
            tree.write(names, tree.read(names).replace("/* Of filter/cache.c", declaration + "\n\n/* Of filter/cache.c"))
            path = self.named(r"found by itself: `([^`]+)`")
            tree.write(path, test)
            binary, said = tree.build()
            self.assertNotRegex(said, r"%s:\d+:\d+: warning" % re.escape(name))
            tree.run([sys.executable, tree.path(path)], GATEWAY_BINARY=binary, PYTHONPATH=tree.path("tests", "support"), PYTHONDONTWRITEBYTECODE="1")


class AddAFilterThatAsks(unittest.TestCase):
    def test_is_the_filter_that_a_unit_test_runs(self):
        block, = re.findall(r"^```c\n(.*?)^```$", section("Add a filter that asks"), re.M | re.S)
        with open(os.path.join(ROOT, "tests", "unit", "filter", "known_key.c"), encoding="utf-8") as file:
            self.assertEqual(block, file.read())


if __name__ == "__main__":
    main()
