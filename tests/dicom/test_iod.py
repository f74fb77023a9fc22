from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_is_retired, dictionary_keyword, dictionary_VM, dictionary_VR
from pynetdicom import sop_class

from tools import make_iod_data
from trialimg.dicom.standard import iod, table


def test_the_dictionary_says_what_pydicoms_says():
    chance = random.Random(6)
    repeating = [int(mask.replace("x", digit), 16) for mask in RepeatersDictionary for digit in "0124EF"]
    for tag in (*DicomDictionary, *repeating, *(chance.randrange(2**32) for _ in range(5000))):
        try:
            known = dictionary_VR(tag)
        except KeyError:
            known = ""
        if tag >> 16 & 1:
            assert table.vr_of(tag) == ""
        else:
            assert table.vr_of(tag) == known, hex(tag)
        if table.vr_of(tag):
            assert table.keyword_of(tag) == dictionary_keyword(tag)
            assert table.vm_of(tag) == dictionary_VM(tag)
            assert table.is_retired(tag) == dictionary_is_retired(tag)


def test_a_keyword_leads_to_its_tag():
    assert all(table.tag_of(entry[4]) == tag for tag, entry in DicomDictionary.items() if entry[4])
    with pytest.raises(LookupError):
        table.tag_of("PatientFavouriteColour")


def test_the_registered_uids_are_pydicoms_and_the_classes_of_the_newer_part_3():
    data = json.loads((make_iod_data.DATA / "ps3_6_uids.json").read_text(encoding="utf-8"))["uids"]
    for uid, entry in UID_dictionary.items():
        assert table.uid_name(uid) == entry[0]
        assert data[uid] == f"{entry[0]}|{entry[1]}"
    newer = make_iod_data.NEWER | {uid: f"{name}|SOP Class" for uid, name in make_iod_data.NAMES.items()}
    assert {uid: data[uid] for uid in data.keys() - (UID_dictionary.keys() - newer.keys())} == newer
    assert table.is_registered("1.2.840.10008.5.1.4.1.1.66.7")
    assert not table.is_registered("1.2.840.10008.5.1.4.1.1.66.7.1")


def test_a_newer_storage_class_has_the_name_pynetdicom_knows_it_by_and_no_other_class_has():
    known = [entry[0] for entry in UID_dictionary.values()]
    for uid, name in make_iod_data.NAMES.items():
        assert getattr(sop_class, name.replace(" ", "")) == uid
        assert (table.uid_name(uid), name in known) == (name, False)


def test_the_recipe_gives_the_data_that_the_package_carries():
    folder = make_iod_data.standard_folder()
    if folder is None:
        pytest.skip(f"highdicom {make_iod_data.HIGHDICOM} is not installed; its wheel is what the recipe reads")
    for name, text in make_iod_data.documents(folder).items():
        assert (make_iod_data.DATA / name).read_text(encoding="utf-8") == text


def test_asking_the_standard_loads_neither_pydicom_nor_numpy():
    code = (
        "import sys; from trialimg.dicom.standard import table; table.vr_of(0x00100010); table.is_registered('1.2');"
        "print([name for name in sys.modules if name.split('.')[0] in {'pydicom', 'numpy'}])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_content_items_are_judged_alike_at_every_depth():
    observed, content = table.tag_of("ObservationDateTime"), table.tag_of("ContentSequence")
    report = "1.2.840.10008.5.1.4.1.1.88.33"
    place = iod.place_of(report)
    for depth in range(5):
        assert iod.type_at(place, observed) == "1C", depth
        assert iod.type_at(place, content) == "1C", depth
        place = iod.inside(place, content)
    assert iod.type_at(place, table.tag_of("RelationshipType")) == "1"
