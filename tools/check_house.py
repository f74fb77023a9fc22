"""Checks the house rules no other tool knows: lengths, words that must not stand, excuses without a reason, addresses
of registries.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE, LONGEST_FUNCTION = 320, 45
# Each with its reason: a larger file or function is an exception that somebody thought about.
LONGER = {
    "trialimg/errors.py": "one tree and its three translations are read together",
    "trialimg/cli.py": "one command a function, all commands on one page",
    "trialimg/web/crf.py": "one form as it is posted and as it is shown, the two ways side by side",
    "trialimg/web/openapi.py": "a document, not a program",
}
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "manager.py", "misc.py"}
WORDS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
REGISTRIES = re.compile("|".join(("py" + r"pi\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(?:org|com)")))
# Of layout (``fmt``) none is asked: whoever sets a table by hand shows why.
EXCUSE = re.compile(r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^]]*])?|pragma: no \w+)")
SOURCES = (
    *(".py", ".html", ".css", ".js", ".mjs", ".yaml", ".md", ".txt", ".in", ".toml", ".json", ".sh"),
    *("Makefile", "run"),
)


def tracked() -> list[Path]:
    """Give the files git tracks."""
    done = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, cwd=ROOT)
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def functions(tree: ast.Module) -> list[tuple[str, int]]:
    """Give every function with the number of its lines, its docstring left out."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = node.lineno
            if ast.get_docstring(node) and len(node.body) > 1:
                start = node.body[1].lineno - 1
            found.append((node.name, (node.end_lineno or start) - start))
    return found


def bare_excuses(text: str) -> list[int]:
    """Give the lines on which a linter or type checker is silenced and nobody says why."""
    comments = (
        token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )
    silencing = [(token.start[0], EXCUSE.split(token.string)) for token in comments if EXCUSE.search(token.string)]
    return [line for line, rest in silencing if not re.search(r"[A-Za-z]{2}", "".join(rest))]


def python_problems(path: Path, name: str, text: str) -> list[str]:
    """Give what is wrong with one Python file."""
    found = []
    if path.name in FORBIDDEN_NAMES:
        found.append("a junk drawer; a helper lives where its noun lives")
    found += [f"line {line}: an excuse without its reason beside it" for line in bare_excuses(text)]
    if not name.startswith(("trialimg/", "seed_data/", "tools/", "bench/")) or name in LONGER:
        return found
    lines = text.count("\n")
    if lines > LONGEST_FILE:
        found.append(f"{lines} lines; split it, or give the reason in tools/check_house.py")
    tree = ast.parse(text)
    found += [f"{function} has {n} lines" for function, n in functions(tree) if n > LONGEST_FUNCTION]
    if path.name == "__init__.py" and name.startswith("trialimg/") and len(tree.body) > 1:
        found.append("something live stands in an __init__.py")
    return found


def problems(path: Path) -> list[str]:
    """Give what is wrong with one file."""
    name = str(path.relative_to(ROOT))
    if not name.endswith(SOURCES):
        return []
    text = path.read_text("utf-8", errors="replace")
    found = python_problems(path, name, text) if name.endswith(".py") else []
    if match := WORDS.search(text):
        found.append(f"holds the word {match.group()}; finish it or leave it out")
    if REGISTRIES.search(text):
        found.append("names the host of a package registry")
    if name.endswith("package-lock.json") and '"resolved"' in text:
        found.append("has resolved addresses")
    return found


def main() -> None:
    """Check every tracked file; the exit code says whether the house is in order."""
    bad = 0
    files = tracked()
    for path in files:
        for problem in problems(path):
            bad += 1
            print(f"{path.relative_to(ROOT)}: {problem}")
    print(f"{len(files)} files, {bad} problems")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
