"""A bench ends as failed where a bar is not met, and where nobody knows since the peer is not here."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.deidentification import Bench


def test_a_peer_that_is_not_here_fails_the_bench_where_a_bar_is_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bench = Bench(tmp_path, 1, quick=True)
    assert set(bench.tools()) == {"trialimg"}
    assert len(bench.failed) == 1
    assert "gdcmanon" in bench.failed[0]
    bench.miss("dicognito", "dicognito could not be installed")  # it is only compared with
    assert len(bench.failed) == 1
    bench.miss("dicom-anonymizer", "dicom-anonymizer could not be installed")
    assert len(bench.failed) == 2


def test_a_ratio_below_its_bar_fails_the_bench(tmp_path: Path) -> None:
    bench = Bench(tmp_path, 1, quick=True)
    bench.hold("two jobs", 1.71)
    bench.hold("dicognito on CT", 0.1)
    assert bench.failed == []
    bench.hold("two jobs", 1.69)
    assert len(bench.failed) == 1
