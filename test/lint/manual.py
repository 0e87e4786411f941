# SPDX-License-Identifier: MIT
"""imap(3) must not go stale: it names every function that include/imap declares and no other, its table holds every
public name of Python's imaplib, its program compiles, and groff has nothing to complain about."""
import glob
import imaplib
import os
import re
import shutil
import subprocess
import sys
import tempfile

PAGE = "imap/imap.3"
MODULE = set(imaplib.__all__) | {"IMAP4_SSL", "Debug", "IMAP4_PORT", "IMAP4_SSL_PORT"}
# Attributes that only instances have, names of later versions, and what imaplib2 documents beyond.
MORE = {"state", "welcome", "capabilities", "untagged_responses", "is_readonly", "PROTOCOL_VERSION", "utf8_enabled",
        "debug", "timeout", "ssl_context", "idle"}
IMAPLIB2 = {"examine", "id", "idle", "enable_compression", "start_compressing", "pop_untagged_responses", "callback",
            "cb_arg", "open_socket", "ssl_wrap_socket", "Internaldate2Time"}


def declared():
    """As the compiler sees it; test/package/symbols.sh does the same."""
    headers = sorted(glob.glob("include/imap/*.h"))
    with tempfile.NamedTemporaryFile("r", suffix=".aux") as aux:
        subprocess.run(["gcc", "-std=c11", "-Iinclude", "-fsyntax-only", "-aux-info", aux.name, "-x", "c", "-"],
                       input="".join(f'#include "{header[len("include/"):]}"\n' for header in headers), text=True,
                       check=True)
        return set(re.findall(r"^/\* include/imap/[^*]*\*/ extern [^(]*[ *](\w+) \(", aux.read(), re.MULTILINE))


def part(page, name):
    return page.split(f'.\\" {name}: begin\n')[1].split(f'.\\" {name}: end\n')[0]


def rows(table):
    """The cells of a tbl table of which longer cells are T{ ... T}."""
    text = re.sub(r"T\{\n(.*?)\nT\}", lambda match: match[1].replace("\n", " "), table, flags=re.DOTALL)
    lines = [line.split("\t") for line in text.splitlines()]
    return [(cells + ["", ""])[:3] for cells in lines if len(cells) > 1 and cells[0] != "Python"]


def public(*classes):
    return {name for cls in classes for name in dir(cls) if not name.startswith("_")}


def check_table(page, functions, complain):
    table = rows(part(page, "table of imaplib's names"))
    names = {name.strip(" *") for first, _, _ in table for name in first.replace("\\:", "").split(",")}
    wanted = MODULE | MORE | IMAPLIB2 | public(imaplib.IMAP4, imaplib.IMAP4_SSL, imaplib.IMAP4_stream)
    complain("not in the table of imaplib's names", wanted - names)
    complain("twice in the table", {n for n in names if sum(n in re.findall(r"\w+", row[0].replace("\\:", "")) for row in table) > 1})
    mentioned = {word for row in table for word in re.findall(r"\bimap_[a-z0-9_]+", row[1])}
    complain("in the table and not declared", mentioned - functions - {"imap_flags", "imap_error"})
    complain("without a counterpart", {first for first, second, _ in table if not second})


def check_program(page, complain):
    program = page.split(".Sh A FIRST PROGRAM")[1].split(".Bd -literal -offset indent\n")[1].split(".Ed")[0]
    done = subprocess.run(["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-fsyntax-only", "-x", "c", "-"],
                          input=program.replace("\\e", "\\"), stderr=subprocess.PIPE, text=True, check=False)
    complain("the first program does not compile", set(done.stderr.splitlines()))


def check_page(complain):
    if not shutil.which("groff"):
        print("no groff: the page's layout is not checked")
        return
    done = subprocess.run(["groff", "-t", "-mdoc", "-Tutf8", "-ww", PAGE], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    complain("groff says", set(done.stderr.splitlines()))


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    failures = []

    def complain(what, names):
        if names:
            failures.append(what)
            print(f"{PAGE}: {what}: {', '.join(sorted(names))}")

    functions = declared()
    if len(functions) < 100:
        complain("too few declarations were found", functions)
    listed = set(re.findall(r"^\.Fn (\w+)", part(page, "list of functions"), re.MULTILINE))
    complain("declared and not listed", functions - listed)
    complain("listed and not declared", listed - functions)
    complain("used and not declared", set(re.findall(r"^\.F[no] (imap_\w+)", page, re.MULTILINE)) - functions)
    check_table(page, functions, complain)
    check_program(page, complain)
    check_page(complain)
    sys.exit(bool(failures))


main()
