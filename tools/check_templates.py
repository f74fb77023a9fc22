"""Checks every template: it compiles, uses what it imports, and holds no inline script, style or foreign address."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, TemplateSyntaxError, nodes

FOLDER = Path(__file__).resolve().parent.parent / "trialimg" / "web" / "templates"
FORBIDDEN = {
    r"<script(?![^>]*(?:\bsrc=|type=\"application/json\"))": "an inline script, which our policy stops",
    r"<style": "an inline style sheet, which the content security policy stops",
    r"\sstyle=": "an inline style, which the content security policy stops",
    r"\son[a-z]+=\"": "an inline event handler, which the content security policy stops",
    r"(?:src|href|action)=\"https?://": "an address on another origin",
    r"\|\s*safe\b": "a value taken as markup",
}


def unused_imports(tree: nodes.Template) -> set[str]:
    """Give the macros a template imports and never names."""
    imported = {
        name if isinstance(name, str) else name[1] for found in tree.find_all(nodes.FromImport) for name in found.names
    }
    imported |= {found.target for found in tree.find_all(nodes.Import)}
    used = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
    return imported - used


def problems(environment: Environment, path: Path) -> list[str]:
    """Give what is wrong with one template."""
    text = path.read_text("utf-8")
    try:
        tree = environment.parse(text)
        environment.compile(text)
    except TemplateSyntaxError as error:
        return [f"line {error.lineno}: {error.message}"]
    found = [f"imports {name} and does not use it" for name in sorted(unused_imports(tree))]
    bare = re.sub(r"\{#.*?#\}", lambda match: "\n" * match.group().count("\n"), text, flags=re.DOTALL)
    for pattern, meaning in FORBIDDEN.items():
        places = (bare[: match.start()].count("\n") + 1 for match in re.finditer(pattern, bare))
        found += [f"line {place}: {meaning}" for place in places]
    return found


def main() -> None:
    """Check all templates; the exit code says whether they are in order."""
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, extensions=["jinja2.ext.do"])
    count, bad = 0, 0
    for path in sorted(FOLDER.rglob("*.html")):
        count += 1
        for problem in problems(environment, path):
            bad += 1
            print(f"{path.relative_to(FOLDER)}: {problem}")
    print(f"{count} templates, {bad} problems")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
