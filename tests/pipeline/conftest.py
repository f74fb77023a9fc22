from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.bed import Bed, FakeArchive, make_bed, small_ct
from tests.world import World, peopled, world

__all__ = ["peopled", "world"]


@pytest.fixture
def bed(world: World) -> Bed:
    return make_bed(world)


@pytest.fixture
def archive(bed: Bed) -> FakeArchive:
    """The bed's archive, replaced by one that can be made to misbehave."""
    fake = FakeArchive()
    bed.use_archive(fake)
    return fake


@pytest.fixture(scope="session")
def ct_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ct")
    small_ct(folder)
    return folder


@pytest.fixture
def ct(ct_folder: Path) -> list[Path]:
    return sorted(path for path in ct_folder.rglob("*") if path.is_file())
