"""Tables of docs/ that are made from the code: `make docs` writes them anew, test_docs.py compares.

A table stands between two lines of a page, and the first one names where its rows come from:

    <!-- table: gateway/exchange/exchange.h GW_EXCHANGE_MOVES -->       a list of rows: #define GW_EXCHANGE_MOVES(X) X(…) X(…)
    <!-- table: gateway/fetch/state.h gw_fetch_state -->                an enum: each name with the comment behind it
    <!-- table: gateway/exchange/exchange.h what_holds -->              the column "What holds" beside a drawing of states
    <!-- end of table -->"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = re.compile(r"(<!-- table: (\S+) (\w+) -->\n).*?(<!-- end of table -->)", re.S)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def pages():
    return ["docs/" + name for name in sorted(os.listdir(os.path.join(ROOT, "docs"))) if name.endswith(".md")]


def markdown(columns, rows):
    lines = [columns, ["---"] * len(columns)] + rows
    return "".join("| %s |\n" % " | ".join(line) for line in lines)


def plain(comment):
    """The text of a comment, in one line, that Markdown leaves as it is."""
    return re.sub(r"([*|<])", r"\\\1", re.sub(r"\s*\n\s*\*?\s*", " ", comment).strip())


def rows_of_list(text, name):
    """The list's own heading is a comment that begins it: one word a column."""
    body = re.search(r"#define %s\(X\)((?:.*\\\n)*.*)\n" % name, text)[1].replace("\\\n", "\n")
    heading = re.search(r"^\s*/\*\s*(.*?)\s*\*/", body)
    rows = [[cell.strip() for cell in row.split(",")] for row in re.findall(r"\bX\(([^()]*)\)", body)]
    columns = re.split(r"\s{2,}|,\s*", heading[1]) if heading else []
    if len(columns) != len(rows[0]):
        columns = ["in", "when", "then", "by"][:len(rows[0])]
    return columns, [["`%s`" % cell for cell in row] for row in rows]


def rows_of_enum(text, name):
    body = re.search(r"\benum %s \{(.*?)\n\};" % name, text, re.S)[1]
    found = re.findall(r"^\s*(\w+)(?:\s*=[^,/]*)?,?[ \t]*(?:\n?[ \t]*/\*(.*?)\*/)?", body, re.M | re.S)
    found = [(item, plain(comment)) for item, comment in found if not item.endswith("_STATES")]
    prefix = os.path.commonprefix([item for item, _ in found])
    prefix = prefix[:prefix.rfind("_") + 1]
    return ["name", "meaning"], [["`%s`" % item[len(prefix):], comment] for item, comment in found]


def rows_of_drawing(text):
    found = re.findall(r"^ \* .*\s{2,}([A-Z]{4,}) +([a-z].*)$", text, re.M)
    return ["state", "what holds"], [["`%s`" % state, plain(holds)] for state, holds in found]


def table(path, name):
    text = read(path)
    if name == "what_holds":
        return markdown(*rows_of_drawing(text))
    return markdown(*(rows_of_enum if name.islower() else rows_of_list)(text, name))


def renewed(page):
    return BLOCK.sub(lambda block: block[1] + table(block[2], block[3]) + block[4], page)


def main():
    for path in pages():
        page = renewed(read(path))
        if page != read(path):
            with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
                file.write(page)
            print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
