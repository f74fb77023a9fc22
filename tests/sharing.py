"""How tests are shared among workers (``make test`` runs two) so that what is started once is started in one of them.

A file stays together; so does the end-to-end walk, whose installations and browsers serve all of its files. Long
ones begin first, so that the workers end together.
"""

from __future__ import annotations

from typing import Any

import pytest

TOGETHER = ("tests/e2e/",)
"""Folders whose files one worker runs."""

FIRST = ("tests/e2e/", "tests/pipeline/", "tests/web/", "tests/client/", "tests/hostile/", "tests/store/")
"""Folders in the order in which they begin, longest first; all others follow in the order of their names."""


def unit_of(nodeid: str) -> str:
    """Name the unit that one worker runs from end to end."""
    return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])


def _rank(item: pytest.Item) -> int:
    found = (number for number, folder in enumerate(FIRST) if item.nodeid.startswith(folder))
    return next(found, len(FIRST))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)  # stable: within a folder the order stays


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False
    return Units(config, log)
