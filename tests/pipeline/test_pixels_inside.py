"""What a child does with pixels: a frame to look at, the text in it, and a mask laid on what is cleaned."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.pixels.rendered import covered, image, picture, written
from trialimg.dicom.deidentify import verify_clean
from trialimg.domain.deid_report import Report
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.mask import Box
from trialimg.errors import NotClean
from trialimg.pipeline.child import Child, Limits
from trialimg.settings import Settings
from trialimg.vault import Vault

LIMITS = Limits.to_find_text(Settings())
PROFILE = Profile("demo", "1", "kept")
IDENTITY = SubjectIdentity("Sponsor", "PROT-1", "A trial", "101", "Site one", "101-001", "W8", "Week 8")


class Room:
    """A vault with one submission in it, and children that work on it."""

    def __init__(self, folder: Path, profile: Profile = PROFILE) -> None:
        self.vault = Vault(folder, reserve_bytes=0)
        self.quarantine, self.outbox = self.vault.area("quarantine/s1"), self.vault.area("outbox/s1")
        self.setup: dict[str, Any] = {
            "vault": str(folder), "reserve": 0, "submission": "s1", "profile": profile.to_mapping(),
            "identity": IDENTITY._asdict(), "subject_key": "07" * 32, "fingerprint_key": "08" * 32, "zip": {},
        }  # fmt: skip

    def put(self, frames: np.ndarray, **attributes: Any) -> str:
        return self.quarantine.put_bytes(written(image(frames, **attributes))).sha256

    def ask(self, do: str, sha256: str, limits: Limits = LIMITS, **more: Any) -> dict[str, Any]:
        with Child(self.setup, limits) as child:
            return child.ask({"do": do, "sha256": sha256, **more})

    def kept(self, answer: dict[str, Any]) -> bytes:
        with self.outbox.open(answer["done"]["clean_sha256"]) as stream:
            return stream.read()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "vault")


def clip(seed: int = 3) -> tuple[np.ndarray, list[Any]]:
    shown, texts = picture(seed)
    return np.repeat(shown[None, ::1], 3, axis=0), texts


def test_a_frame_is_shown_and_its_size_is_told(room: Room) -> None:
    frames = np.zeros((3, 60, 90), np.uint8)
    frames[2] = 200
    sha256 = room.put(frames)
    told = room.ask("frame", sha256, note="frame-2", frame=2, longest=1024)
    assert told == {"done": {"frames": 3, "rows": 60, "columns": 90}}
    picture = Image.open(BytesIO(room.quarantine.read_note("frame-2") or b""))
    assert (picture.size, picture.getpixel((5, 5))) == ((90, 60), 200)
    assert "no such frame" in room.ask("frame", sha256, note="x", frame=3, longest=64)["refused"]["sentence"]


def test_found_masked_and_cleaned_the_text_is_in_no_frame_and_the_file_says_so(room: Room) -> None:
    frames, texts = clip()
    sha256 = room.put(frames)
    told = room.ask("find_text", sha256)["done"]
    boxes = [entry[:5] for entry in told["boxes"]]
    assert all(covered(text, [Box(*entry[1:]) for entry in boxes]) > 0.9 for text in texts)
    held = room.ask("clean", sha256, released=False)["done"]
    assert (held["code"], room.outbox.listing()) == ("image.may_show_text", [])
    answer = room.ask("clean", sha256, released=False, mask=boxes)
    assert (answer["done"]["hold"], answer["done"]["code"]) == ("", "")
    made = dcmread(BytesIO(room.kept(answer)))
    for text in texts:
        part = made.pixel_array[:, text.box.y : text.box.bottom, text.box.x : text.box.right]
        assert not part.any()
    assert (made.BurnedInAnnotation, made.PatientID) == ("NO", "101-001")
    assert "113101" in [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert "113101" in [option["code"] for option in answer["done"]["report"]["options"]]
    assert room.ask("clean", sha256, released=True, mask=boxes) == answer, "a step may run twice"


def test_what_a_person_let_pass_says_that_one_looked_and_keeps_every_pixel(room: Room) -> None:
    frames, _ = clip()
    answer = room.ask("clean", room.put(frames), released=True, mask=[])
    made = dcmread(BytesIO(room.kept(answer)))
    assert np.array_equal(made.pixel_array, frames)
    assert made.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in made.DeidentificationMethodCodeSequence]


def test_what_rules_let_pass_claims_no_look(room: Room, tmp_path: Path) -> None:
    file = write_ct(tmp_path, PATIENT_IDENTITIES[0], slices=1, size=64, study_date="20260302", seed=1, study_key="t")[1]
    answer = room.ask("clean", room.quarantine.put_bytes(file.read_bytes()).sha256, released=True)
    made = dcmread(BytesIO(room.kept(answer)))
    assert "113101" not in [item.CodeValue for item in made.DeidentificationMethodCodeSequence]


def test_what_was_cleaned_at_its_source_is_masked_too_and_is_still_clean(room: Room) -> None:
    frames, texts = clip()
    cleaned = room.kept(room.ask("clean", room.put(frames), released=True))
    again = room.quarantine.put_bytes(cleaned).sha256
    box = texts[0].box
    answer = room.ask("verify", again, released=True, mask=[[None, box.x, box.y, box.width, box.height]])
    made = dcmread(BytesIO(room.kept(answer)))
    assert not made.pixel_array[:, box.y : box.bottom, box.x : box.right].any()
    assert np.array_equal(made.pixel_array[:, box.bottom :], frames[:, box.bottom :])
    verify_clean(BytesIO(room.kept(answer)), profile=PROFILE, identity=IDENTITY)
    with pytest.raises(NotClean):
        verify_clean(BytesIO(written(image(frames))), profile=PROFILE, identity=IDENTITY)


@pytest.mark.parametrize(
    ("mask", "said"),
    [([[None, 5000, 1, 4, 4]], "lies outside"), ([[7, 1, 1, 4, 4]], "frame that is not there"), ("x", "cannot be read")],
)
def test_boxes_that_do_not_fit_are_refused_and_nothing_is_sent(room: Room, mask: Any, said: str) -> None:
    answer = room.ask("clean", room.put(clip()[0]), released=True, mask=mask)
    assert said in answer["refused"]["sentence"]
    assert room.outbox.listing() == []


def test_a_head_in_thin_slices_waits_where_the_trial_says_so_and_a_person_lets_it_pass(tmp_path: Path) -> None:
    file = write_ct(tmp_path, PATIENT_IDENTITIES[0], slices=1, size=64, study_date="20260302", seed=1, study_key="t")[1]
    head = dcmread(file)
    head.BodyPartExamined, head.SliceThickness = "HEAD", "1"
    for hold, code in ((False, ""), (True, "image.recognisable")):
        room = Room(tmp_path / f"vault-{hold}", Profile("demo", "1", "kept", hold_recognisable=hold))
        sha256 = room.quarantine.put_bytes(written(head)).sha256
        told = room.ask("clean", sha256, released=False)["done"]
        assert (told["code"], told["report"]["recognisable"]) == (code, 1)
        let_pass = room.ask("clean", sha256, released=True)["done"]
        assert (let_pass["hold"], let_pass["code"]) == ("", "")


def test_a_localizer_waits_where_the_trial_does_not_say_otherwise_and_a_person_lets_it_pass(tmp_path: Path) -> None:
    file = write_ct(tmp_path, PATIENT_IDENTITIES[0], slices=1, size=256, study_date="20260302", seed=1, study_key="t")[0]
    topogram = dcmread(file)
    topogram.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    for hold, code, unseen in ((False, "", 1), (True, "image.may_show_text", 0)):
        room = Room(tmp_path / f"vault-{hold}", Profile("demo", "1", "kept", hold_localizers=hold))
        sha256 = room.quarantine.put_bytes(written(topogram)).sha256
        assert bool(room.ask("look", sha256)["done"]["risk"]) == hold
        told = room.ask("clean", sha256, released=False)["done"]
        assert (told["code"], Report.from_json(told["report"]).unseen) == (code, unseen)
        let_pass = room.ask("clean", sha256, released=True)["done"]
        assert (let_pass["hold"], let_pass["code"]) == ("", "")
        assert Report.from_json(let_pass["report"]).unseen == unseen


def test_where_memory_does_not_suffice_the_person_is_told_to_look_and_the_file_is_not_blamed(room: Room) -> None:
    answer = room.ask("find_text", room.put(np.zeros((768, 1024), np.uint8)), Limits(420 * 2**20, 60))
    assert "more memory" in answer["refused"]["sentence"]
    assert "damaged" not in answer["refused"]["sentence"]


def test_a_child_that_only_cleans_loads_no_numpy_and_no_detector(room: Room, tmp_path: Path) -> None:
    file = write_ct(tmp_path, PATIENT_IDENTITIES[0], slices=1, size=64, study_date="20260302", seed=1, study_key="t")[1]
    sha256 = room.quarantine.put_bytes(file.read_bytes()).sha256
    with Child(room.setup, LIMITS) as child:
        child.ask({"do": "clean", "sha256": sha256, "released": False})
        assert child._process is not None
        mapped = Path(f"/proc/{child._process.pid}/maps").read_text()
    assert "onnxruntime" not in mapped
    assert "numpy" not in mapped
