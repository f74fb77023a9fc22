"""A fault of the engine on one file: that file is refused, the operator's log names it, and the others go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from tests.pipeline.test_pixels_inside import Room
from trialimg.errors import OurFault
from trialimg.pipeline import child, inside
from trialimg.pipeline.inside import Inside

FAULT = "Cleaning changed the rows of an image. It was not kept; tell the operator."


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "vault")


@pytest.mark.parametrize(("act", "door"), [("clean", "clean_file"), ("verify", "verify_clean")])
def test_a_fault_of_the_engine_on_one_file_refuses_it_is_logged_and_stops_no_other(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: str, door: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OurFault(FAULT)

    monkeypatch.setattr(inside, door, fails)
    monkeypatch.setattr(inside, "_limit_time", lambda _: None)  # of this process, which lives on
    room.setup["seconds"] = 20
    sha256 = room.quarantine.put_bytes(Path(get_testdata_file("CT_small.dcm")).read_bytes()).sha256
    answer = child._checked(Inside(room.setup).answer, {"do": act, "sha256": sha256, "released": False})
    assert answer["refused"]["code"] == "fault"
    assert "the others went on" in answer["refused"]["sentence"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        f"a fault of ours on one file, which was refused: {FAULT}"
    ]


def test_a_fault_of_the_installation_still_stops_all_and_blames_no_file(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are gone from the vault: whatever was refused for that would be destroyed for nothing."""
    monkeypatch.setattr(inside, "_limit_time", lambda _: None)
    room.setup["seconds"] = 20
    with pytest.raises(OurFault, match="should be in the vault"):
        child._checked(Inside(room.setup).answer, {"do": "clean", "sha256": "0" * 64, "released": False})
