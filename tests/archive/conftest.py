"""The archives that must all keep the same promises."""

import contextlib

import pytest

from tests import peers
from tests.archive import made
from trialimg.archive.choose import archive_from_url


@pytest.fixture(scope="session")
def orthanc_peer(tmp_path_factory):
    peers.require(peers.missing_orthanc())
    with peers.orthanc(tmp_path_factory.mktemp("orthanc")) as peer:
        yield peer


@pytest.fixture(
    params=[
        "local",
        pytest.param("dicomweb", marks=pytest.mark.orthanc),
        pytest.param("dimse", marks=pytest.mark.orthanc),
    ]
)
def archive(request, tmp_path):
    if request.param == "local":
        yield archive_from_url("local:", folder=tmp_path / "archive")
        return
    peer = request.getfixturevalue("orthanc_peer")
    if not peer.runs():
        peer.start()
    url = peer.dicomweb_url if request.param == "dicomweb" else peer.dimse_url
    yield archive_from_url(url, folder=tmp_path / "archive")


@pytest.fixture
def study(archive):
    """A made study, removed afterwards where that can be done."""
    found = made.study()
    yield found
    if archive.can_forget:
        with contextlib.suppress(Exception):
            archive.forget(found.study_uid)
