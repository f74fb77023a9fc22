"""The tree of errors: drawn as it is, and translated completely at every door."""

from __future__ import annotations

import re

import pytest

from trialimg import errors
from trialimg.errors import DIMSE_STATUS, EXIT_CODE, HTTP_STATUS, Translation, TrialimgError, all_errors

OURS = [cls for cls in all_errors() if cls.__module__ == errors.__name__]
TABLES = {"HTTP": HTTP_STATUS, "DIMSE": DIMSE_STATUS, "shell": EXIT_CODE}


def drawn() -> dict[str, str]:
    """Read the tree at the top of the file: each name with the name it hangs on."""
    found, path = {"TrialimgError": ""}, ["TrialimgError"]
    for line in (errors.__doc__ or "").splitlines():
        branch = re.match(r"^([\s│]*)[├└]── (\w+)", line)
        if branch:
            depth = len(branch[1]) // 4  # the root stands four columns in
            del path[depth:]
            found[branch[2]] = path[-1]
            path.append(branch[2])
    return found


def test_the_drawing_at_the_top_of_the_file_is_the_tree() -> None:
    real = {cls.__name__: cls.__bases__[0].__name__ if cls is not TrialimgError else "" for cls in OURS}
    assert drawn() == real


@pytest.mark.parametrize("door", TABLES)
def test_every_error_is_translated_at_every_door_by_its_own_line(door: str) -> None:
    assert set(TABLES[door]) == set(OURS)


def test_a_twig_of_a_tool_means_what_its_branch_means() -> None:
    class Twig(errors.NoSpace):
        """Grown in a test."""

    for table in TABLES.values():
        assert table[Twig] == table[errors.NoSpace]
    Twig.__bases__ = (errors.TryLater,)
    for table in TABLES.values():
        assert table[Twig] == table[errors.TryLater]
    with pytest.raises(KeyError):
        Translation()[errors.NoSpace]


def test_codes_are_stable_words_and_no_two_errors_share_one() -> None:
    codes = [cls.code for cls in OURS]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", code) for code in codes)


def test_what_a_person_can_do_decides_the_exit_code() -> None:
    assert set(EXIT_CODE.values()) == {64, 65, 70, 75, 77}
    assert all(EXIT_CODE[cls] == 75 for cls in OURS if issubclass(cls, errors.TryLater))
    assert all(EXIT_CODE[cls] == 77 for cls in OURS if issubclass(cls, errors.NotAllowed))
    assert all(EXIT_CODE[cls] == 65 for cls in OURS if issubclass(cls, errors.BadInput))


def test_http_statuses_are_those_of_their_branch() -> None:
    assert all(HTTP_STATUS[cls] >= 500 for cls in OURS if issubclass(cls, (errors.TryLater, errors.OurFault)))
    assert all(400 <= HTTP_STATUS[cls] < 500 for cls in OURS if issubclass(cls, (errors.BadInput, errors.Conflict)))
    assert HTTP_STATUS[errors.NoSpace] == 507


def test_a_modality_is_asked_to_try_again_exactly_where_that_would_help() -> None:
    """PS3.4 B.2.3: 0xA7xx is out of resources; the modality keeps the object and sends it again."""
    for cls in OURS:
        assert (DIMSE_STATUS[cls] & 0xFF00 == 0xA700) == issubclass(cls, errors.TryLater)
        assert 0 < DIMSE_STATUS[cls] <= 0xFFFF


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
def test_an_error_is_its_sentence(cls: type[TrialimgError]) -> None:
    error = cls("What happened, what it means, what to do.")
    assert str(error) == error.sentence == "What happened, what it means, what to do."
    assert cls.__doc__
