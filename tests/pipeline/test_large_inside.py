"""A child of the server looks at a clip that is larger than the memory it may take, cleans it and keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dicom.large_files import NAME, clip
from tests.pipeline.test_pixels_inside import Room
from trialimg.pipeline.child import Limits

SMALLEST = Limits(256 * 2**20, 60)
"""The least memory that an installation may give to a child."""


@pytest.mark.slow
@pytest.mark.parametrize("extended", [False, True])
def test_a_clip_larger_than_the_memory_of_its_child_is_shown_and_cleaned(tmp_path: Path, *, extended: bool) -> None:
    room, source = Room(tmp_path / "vault"), tmp_path / "clip"
    size = clip(source, 300_000_000, extended=extended)
    assert size > SMALLEST.memory
    with source.open("rb") as stream:
        sha256 = room.quarantine.put(stream).sha256
    source.unlink()
    assert room.ask("look", sha256, SMALLEST)["done"]["kind"] == "image"
    assert "done" in room.ask("canonical", sha256, SMALLEST)
    assert room.ask("frame", sha256, SMALLEST, note="n", frame=500, longest=64)["done"]["frames"] > 500
    assert room.quarantine.read_note("n")
    held = room.ask("clean", sha256, SMALLEST, released=False)["done"]
    assert (held["code"], room.outbox.listing()) == ("image.may_show_text", [])
    told = room.ask("clean", sha256, SMALLEST, released=True)["done"]
    assert (told["hold"], told["code"]) == ("", "")
    with room.outbox.open(told["clean_sha256"]) as stream:
        begun = stream.read(4_000_000)
        assert stream.seek(0, 2) == told["clean_size"]
    assert NAME not in begun
    assert b"Okonkwo" not in begun
