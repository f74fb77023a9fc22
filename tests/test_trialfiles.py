from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trialimg import trialfiles
from trialimg.errors import BadDefinition, NotFound

DEMO = Path(__file__).parents[1] / "forms" / "demo" / "1.0"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(DEMO, tmp_path / "1.0"))


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def errors(folder):
    return [
        (each.file, each.line, each.sentence) for each in trialfiles.check(folder) if each.severity == "error"
    ]


def test_the_demo_trial_loads_without_a_problem():
    assert trialfiles.check(DEMO) == []
    assert trialfiles.load(DEMO).code == "DEMO"


def test_a_folder_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(NotFound, match="no such folder"):
        trialfiles.load(tmp_path / "nothing")


def test_each_missing_file_is_named(folder):
    (folder / "imaging.yaml").unlink()
    assert ("imaging.yaml", 1, "this file is missing") in errors(folder)
    with pytest.raises(BadDefinition, match=r"imaging.yaml: line 1: this file is missing"):
        trialfiles.load(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "offset", "sentence"),
    [
        ("forms/VS.yaml", "label: Pulse", "lable: Pulse", 0, "“lable” is not known here; did you mean “label”?"),
        ("forms/VS.yaml", "unit: kg", "wholly_else: kg", 0, "“wholly_else” is not known here; known are blinded_to"),
        ("forms/VS.yaml", "kind: number", "kind: float", 0, "“kind” must be one of text, number"),
        ("forms/VS.yaml", 'version: "1.0"', "version: 1.0", 0, "“version” must be a text (put it in quotes)"),
        ("forms/VS.yaml", "key: TEMP_VSORRES", "key: temp", 0, "“key” is not possible here: name of the item"),
        ("forms/VS.yaml", "decimals: 1", "decimals: 1.5", 0, "“decimals” must be a whole number"),
        ("forms/VS.yaml", "must: DIABP_VSORRES < ", "must: DIABP_VSORRES << ", 0, "cannot be read at character 16"),
        ("forms/VS.yaml", "must: DIABP_VSORRES < SYS", "must: DIABP_VSORRES < SIS", 0, "there is no item “SISBP_VSORRES”"),
        ("forms/VS.yaml", "required: true", "required: YES", 0, "“YES” is read differently by different programs"),
        ("forms/VS.yaml", "title: Vital signs", "title: NO", 0, "“NO” is read differently"),
        ("forms/VS.yaml", "title: Vital signs", "title: 2026-01-01", 0, "“2026-01-01” is read differently"),
        ("forms/VS.yaml", "title: Vital signs", "title: 12:30", 0, "“12:30” is read differently"),
        ("forms/VS.yaml", "title: Vital signs", "title: 010", 0, "“010” is read differently"),
        ("forms/VS.yaml", "title: Vital signs", "title: !!python/name:os.system x", 0, "read differently"),
        ("forms/VS.yaml", "title: Vital signs", "title: A\ntitle: B", 1, "“title” stands here twice"),
        ("forms/VS.yaml", "title: Vital signs", "title: &a x\nhint: *a", 1, "references (*name) are not used here"),
        ("forms/VS.yaml", "title: Vital signs", "title: [", 2, "this is not YAML"),
        ("forms/VS.yaml", "title: Vital signs", "title: " + "[" * 50 + "]" * 50, 0, "nested deeper than 20 levels"),
        ("forms/VS.yaml", "key: VS\n", "key: VT\n", 0, "so its file must be forms/VT.yaml"),
        ("trial.yaml", "birth_year: true", "birth_year: 1", 0, "“birth_year” must be true or false"),
        ("trial.yaml", "{sequence:03}", "{seq}", 0, "must be a pattern such as {site}-{sequence:03}"),
        ("schedule.yaml", "forms: [DM, IE", "forms: [DM, QQ", 0, "there is no form “QQ”"),
        ("schedule.yaml", "offset_days: 56", 'offset_days: "56"', 0, "“offset_days” must be a whole number"),
        ("imaging.yaml", "modalities: [CT]", "modalities: [ct]", 0, "is not possible here: DICOM Modality value"),
        ("codelists.yaml", "concept: C66731", "concept: 66731", 0, "“concept” must be a text"),
        ("deidentification.yaml", "rules: []", 'rules: [{tag: "0008,1030", action: K}]', 0, "“why” is needed here"),
        ("deidentification.yaml", "keep: [sex", "keep: [name", 0, "must be one of sex, age, size, weight"),
        ("deidentification.yaml", "deidentify_at: server", "deidentify_at: nowhere", 0, "must be one of site, server"),
        ("deidentification.yaml", "rules: []", 'rules: [{tag: "0008,0060", action: X}]', 0, "Modality is of Type 1 or 1C"),
        ("reading.yaml", "readers: 2", "readers: two", 0, "“readers” must be a whole number"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_what_to_do(  # noqa: PLR0917 - the columns of the table
    folder, file, old, new, offset, sentence
):
    line = change(folder / file, old, new)
    assert [each for each in errors(folder) if each[0] == file and sentence in each[2]], errors(folder)
    lines = [each[1] for each in errors(folder) if each[0] == file and sentence in each[2]]
    assert line + offset in lines


def test_a_definition_with_errors_is_not_loaded_and_lists_them(folder):
    change(folder / "forms" / "VS.yaml", "SYSBP_VSORRES\n    message", "GONE\n    message")
    change(folder / "forms" / "AE.yaml", "codelist: AESEV", "codelist: SEVERITY")
    with pytest.raises(BadDefinition) as refused:
        trialfiles.load(folder)
    assert "forms/VS.yaml: line " in refused.value.sentence
    assert "forms/AE.yaml: line " in refused.value.sentence


def test_a_hundred_errors_are_not_all_poured_into_one_sentence(folder):
    text = (folder / "forms" / "AE.yaml").read_text(encoding="utf-8")
    (folder / "forms" / "AE.yaml").write_text(text.replace("label:", "lable:"), encoding="utf-8")
    with pytest.raises(BadDefinition, match="more"):
        trialfiles.load(folder)


def test_a_rule_for_images_that_may_make_them_useless_is_doubted_by_its_line(folder):
    rules = 'rules:\n  - {tag: "0008,103E", action: X}\n  - {tag: "0028,0030", action: X}'
    line = change(folder / "deidentification.yaml", "rules: []", rules) + 2
    (found,) = [each for each in trialfiles.check(folder) if each.file == "deidentification.yaml"]
    assert (found.severity, found.line) == ("warning", line)
    assert found.sentence.startswith("PixelSpacing is a measure")
    assert trialfiles.load(folder).code == "DEMO"


def test_a_warning_does_not_keep_a_trial_from_loading(folder):
    change(folder / "forms" / "VS.yaml", "        unit: kg\n", "")
    (folder / "forms" / "OLD.yml").write_text("key: OLD\n", encoding="utf-8")
    warnings = [(each.file, each.severity) for each in trialfiles.check(folder)]
    assert warnings == [("forms/OLD.yml", "warning"), ("forms/VS.yaml", "warning")]
    assert trialfiles.load(folder).forms["VS"].find("WEIGHT_VSORRES")[1].unit == ""


def test_a_folder_named_otherwise_than_its_version_is_doubtful(folder):
    moved = folder.rename(folder.parent / "2.0")
    [problem] = trialfiles.check(moved)
    assert (problem.file, problem.severity) == ("trial.yaml", "warning")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe\x00",
        b"key: \x01",
        b"a" * 1_000_001,
        b"- 1\n- 2\n",
        b"plain",
        b"",
        b"? [a]\n: b\n",
        b"1: 2\n",
        b"---\na: 1\n---\nb: 2\n",
        b"a: b: c\n",
        b"\t- x",
    ],
)
def test_a_file_that_is_no_definition_is_refused_with_a_sentence(folder, raw):
    (folder / "trial.yaml").write_bytes(raw)
    assert [each for each in errors(folder) if each[0] == "trial.yaml"]
    with pytest.raises(BadDefinition):
        trialfiles.load(folder)


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(folder):
    text = (folder / "trial.yaml").read_text(encoding="utf-8")
    (folder / "trial.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert trialfiles.load(folder) == trialfiles.load(DEMO)
