"""Prints the documents that the program knows best: docs/settings.md, permissions.md, pipeline.md and
deidentification.md.

Run it after a change: ``python tools/make_docs.py``. A test compares the files with what it prints.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from trialimg.app import create_app
from trialimg.casework.setup import install
from trialimg.dicom.statement import statement
from trialimg.domain.permission import INSTALLATION_ROLES, ROLES, SITE_ROLES, Permission, Role
from trialimg.keyring import Keyring
from trialimg.pipeline.document import document as pipeline_document
from trialimg.settings import PREFIX, Settings, describe, read_settings
from trialimg.web.guard import MARK

DOCS = Path(__file__).resolve().parent.parent / "docs"
_SOURCES = (
    "A value comes from the command line, else from the environment, else from one TOML file (`trialimg.toml` in the "
    "data folder, or the file that `TRIALIMG_SETTINGS` names, with the names of the first column), else it is the "
    "default. A wrong one, or a name that is none, ends the program with a sentence and exit code 64. `trialimg "
    "settings` prints them as they are, each with its source."
)
_PRINTED = "Printed by `python tools/make_docs.py`; a test compares it with the program."


def settings_document() -> str:
    """Give docs/settings.md: every setting with its variable, default and meaning."""
    settings, sources = read_settings({})
    secret = {spec.name for spec in dataclasses.fields(Settings) if spec.metadata["secret"]}
    lines = [
        "# Settings",
        "",
        _PRINTED,
        "",
        _SOURCES,
        "",
        "| Setting | Variable | Default | Meaning |",
        "|---|---|---|---|",
    ]
    for line in describe(settings, sources):
        value = {"True": "yes", "False": "no"}.get(line.value, line.value)
        default = f"`{value}`" if value else "(empty)"
        hidden = " Shown without its secrets." if line.name in secret else ""
        lines.append(f"| `{line.name}` | `{PREFIX}{line.name.upper()}` | {default} | {_cell(line.meaning)}{hidden} |")
    return "\n".join(lines) + "\n"


def permissions_document(app: Flask) -> str:
    """Give docs/permissions.md: what each role may, and what each address asks for."""
    return "\n".join([*_roles(), "", *_routes(app)]) + "\n"


def _roles() -> Iterator[str]:
    yield "# Permissions"
    yield ""
    yield _PRINTED
    yield ""
    yield (
        "A role is given for a trial, or for one site of it; what lies outside is answered as if it were not there. "
        "Roles say what a person *may*; what *can* be done now (held, linked, not done, stale) is each part's own rule "
        "and holds for everybody. Everybody who is signed in has: "
        f"{Permission.OWN_ACCOUNT.value}. The table is `trialimg/domain/permission.py`."
    )
    yield ""
    shown = [permission for permission in Permission if permission is not Permission.OWN_ACCOUNT]
    yield f"| | {' | '.join(_role_name(role) for role in Role)} |"
    yield f"|---|{':-:|' * len(Role)}"
    for permission in shown:
        yield f"| {permission.value} | {' | '.join('●' if permission in ROLES[role] else '' for role in Role)} |"


def _role_name(role: Role) -> str:
    if role in SITE_ROLES:
        return f"{role.value} (of a site)"
    return f"{role.value} (of the installation)" if role in INSTALLATION_ROLES else role.value


def _routes(app: Flask) -> Iterator[str]:
    yield "## What each address asks for"
    yield ""
    yield "Each view names its guard beside its route; a test walks them all. *Anywhere* is a page that lists whatever"
    yield "the person may do this to. What stands under *nobody need be signed in* says why."
    found: dict[str, list[str]] = defaultdict(list)
    for rule in app.url_map.iter_rules():
        guard = getattr(app.view_functions[rule.endpoint], MARK, None)
        if guard is None:
            continue
        methods = " ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        address = f"{methods} `{rule.rule}`"
        if isinstance(guard, str):
            found["nobody need be signed in"].append(f"| {address} | {_cell(guard)} |")
        else:
            permission, on = guard
            found[permission.value].append(f"| {address} | {_place(on.__name__)} |")
    order = [permission.value for permission in Permission] + ["nobody need be signed in"]
    for name in order:
        if name in found:
            yield from ("", f"### {name[0].upper()}{name[1:]}", "", "| Address | Where, or why |", "|---|---|")
            yield from sorted(found[name], key=lambda row: row.split("`")[1])


def _place(name: str) -> str:
    if name == "somewhere":
        return "anywhere"
    return "the installation" if name == "installation" else f"that {name.removeprefix('my_').split('_')[0]}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def an_app(folder: Path) -> Flask:
    """Make the application over an empty folder: its addresses are all that is asked."""
    settings, _ = read_settings({}, data=folder)
    install(Keyring(settings.keys_folder))
    return create_app(settings)


def documents(app: Flask) -> dict[str, str]:
    """Give all printed documents by the names of their files."""
    return {
        "settings.md": settings_document(),
        "permissions.md": permissions_document(app),
        "pipeline.md": pipeline_document(),
        "deidentification.md": statement(),
    }


def main() -> None:
    """Write them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in documents(an_app(Path(folder))).items():
            (DOCS / name).write_text(text, "utf-8")
            print(f"docs/{name}")


if __name__ == "__main__":
    main()
