"""What the pages say of the code, and the code of the pages, exists: tables of states, files, sections, keys."""
import os
import re
import unittest

import tables

ROOT = tables.ROOT
OURS = ["README.md", "CONTRIBUTING.md", "redis/README.md"]
# "docs/limits.md", or one of its sections: docs/limits.md: "What is known here"
CITATION = re.compile(r"\b((?:\w+/)*\w+\.md)(?:(?::|,)? \\?\"([^\"\\]+)\\?\")?")
NAMED_FILE = re.compile(r"(?<![\w./<\"-])((?:[\w.-]+/)*)(\w+\.(?:c|h|lua|py))\b(?![\w*])")
NOT_OURS = {  # an example, made by the build, or another's
    "gateway/filter/api_key.c", "tests/integration/test_api_key.py", "folder/file.c", "a.h", "base_version.h",
}
NAMED_KEY = re.compile(r"`((?:server|admin|backend|limits|cache|cors|log|redis)\.[a-z_]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#([^)]+))?\)")


def our_files(*suffixes):
    """Of the tree, also those that are not committed yet; a copy without git has them all."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "build")) and name != "__pycache__"]
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names if name.endswith(suffixes)]
    return sorted(found)


def uncommented(text):
    """A sentence of a comment in one line."""
    return re.sub(r"\n[ \t]*(?:\*(?!/)|--|//|#(?!\w))?[ \t]*", " ", text)


def sections(path):
    """Headings, and paragraphs that begin with a bold name."""
    text = tables.read(path)
    return set(re.findall(r"^#+ (.+?)\s*$", text, re.M)) | {name.rstrip(".:") for name in re.findall(r"^(?:- )?\*\*(.+?)\*\*", text, re.M)}


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Pages(unittest.TestCase):
    maxDiff = None

    def test_tables_are_those_of_the_code(self):
        count = 0
        for path in tables.pages():
            page = tables.read(path)
            count += len(tables.BLOCK.findall(page))
            self.assertEqual(page, tables.renewed(page), "%s: run `make docs`" % path)
        self.assertGreater(count, 0)

    def test_what_is_cited_exists(self):
        """By sources, scripts and pages; a page is named from the root, or from the folder of the file that cites it."""
        faults = []
        for path in our_files(".c", ".h", ".h.in", ".lua", ".py", ".md", ".txt"):
            if path in ("CHANGELOG.md", "tests/docs/test_docs.py", "tests/docs/tables.py"):
                continue
            for page, section in CITATION.findall(uncommented(tables.read(path))):
                found = [place for place in (page, os.path.join(os.path.dirname(path), page), "docs/" + page) if os.path.exists(os.path.join(ROOT, place))]
                if not found:
                    faults.append("%s: there is no %s" % (path, page))
                elif section and section not in sections(found[0]) | sections(found[-1]):
                    faults.append("%s: %s has no section \"%s\"" % (path, page, section))
        self.assertEqual(faults, [])

    def test_files_that_are_named_exist(self):
        """With their folder from the root, from gateway/ or tests/, or from where they are named; or by their name alone."""
        faults, files = [], our_files("")
        names = {os.path.basename(file) for file in files}
        for path in our_files(".c", ".h", ".lua", ".py", ".txt", ".md"):
            if path == "CHANGELOG.md":
                continue
            for folder, name in NAMED_FILE.findall(tables.read(path)):
                places = [os.path.normpath(start + folder + name) for start in ("", "gateway/", "tests/", "tests/unit/", os.path.dirname(path) + "/")]
                if not (name in names if not folder else set(places) & set(files)) and folder + name not in NOT_OURS:
                    faults.append("%s: there is no %s%s" % (path, folder, name))
        self.assertEqual(faults, [])

    def test_links_lead_somewhere(self):
        faults = []
        for path in tables.pages() + OURS:
            for target, section in LINK.findall(tables.read(path)):
                place = os.path.normpath(os.path.join(os.path.dirname(path), target))
                if not os.path.exists(os.path.join(ROOT, place)):
                    faults.append("%s: %s" % (path, target))
                elif section and section not in map(anchor, sections(place)):
                    faults.append("%s: %s#%s" % (path, target, section))
        self.assertEqual(faults, [])

    def test_keys_that_are_named_exist(self):
        reference = tables.read("docs/configuration.md")
        faults = ["%s: %s" % (path, key) for path in tables.pages() + OURS for key in NAMED_KEY.findall(tables.read(path))
                  if "| `%s` |" % key not in reference]
        self.assertEqual(faults, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
