"""A setting names an archive, or a sentence says what it should look like."""

import pytest

from trialimg.archive.choose import archive_from_url
from trialimg.archive.dicomweb import DicomwebArchive
from trialimg.archive.dimse import DimseArchive
from trialimg.archive.local import LocalArchive
from trialimg.errors import Misconfigured


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("", LocalArchive),
        ("local:", LocalArchive),
        ("http://127.0.0.1:8042/dicom-web", DicomwebArchive),
        ("https://user:secret@pacs.example/dicom-web/", DicomwebArchive),
        ("dimse://PACS@127.0.0.1:11112?calling=TRIALIMG", DimseArchive),
    ],
)
def test_an_address_chooses_the_archive_and_asks_nothing_of_it(url, kind, tmp_path):
    archive = archive_from_url(url, folder=tmp_path)
    assert isinstance(archive, kind)
    assert "secret" not in archive.name


@pytest.mark.parametrize("url", ["/srv/images", "ftp://x/y", "dicom:x", "http:", "dimse://host", "local:///etc"])
def test_a_wrong_address_says_what_it_should_look_like(url, tmp_path):
    with pytest.raises(Misconfigured, match="must"):
        archive_from_url(url, folder=tmp_path)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured, match="folder"):
        archive_from_url("", folder=tmp_path / "file" / "archive")
