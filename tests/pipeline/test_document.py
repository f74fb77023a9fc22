from __future__ import annotations

from tests.conftest import ROOT
from trialimg.pipeline.document import document


def test_the_printed_table_is_the_table_that_runs() -> None:
    assert (ROOT / "docs" / "pipeline.md").read_text() == document(), "run: python -m trialimg.pipeline.document"
