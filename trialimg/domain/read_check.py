"""What is wrong or doubtful in the values of a read, by RECIST 1.1 and by what a signature must rest on.

A hard finding must be corrected before signing; a soft one is corrected or answered by a reason. Findings
name their lesion (``group`` targets, non_targets, new_lesions or read; ``repeat_key`` the lesion's id) and never
repeat what was typed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import Final

from trialimg.domain.crf import Severity
from trialimg.domain.item_value import Finding
from trialimg.domain.lesion import (
    LONGEST,
    MOST_TARGETS,
    MOST_TARGETS_AN_ORGAN,
    Measurement,
    NewLesion,
    NonTargetLesion,
    NonTargetState,
    Organ,
    Seen,
    TargetLesion,
    TargetState,
    counting_organ,
    smallest_mm,
    sum_of_diameters,
)
from trialimg.domain.read_course import course
from trialimg.domain.read_values import ImageQuality, ReadValues
from trialimg.domain.reading_design import ReadingDesign
from trialimg.domain.response import Response

LARGE_STEP: Final = Decimal(2)
"""A diameter this many times another one is looked at again."""


def judge_read(
    design: ReadingDesign, baseline: ReadValues | None, earlier: Sequence[ReadValues], values: ReadValues
) -> list[Finding]:
    """Give every finding, in the order of the form; without ``baseline`` the values are the baseline's own.

    ``earlier`` are the signed values between baseline and this time point, in order. Whether an instance
    belongs to the images shown is the server's to check (``ReadValues.instances``).
    """
    if design.criteria == "none":
        return list(_whole(values))
    found = [*_identity(values), *_targets(baseline, earlier, values), *_non_targets(baseline, values)]
    found += [*_new(baseline, values), *_whole(values)]
    if baseline is not None and not any(each.severity == "hard" for each in found):
        found += _doubts(baseline, earlier, values)
    return found


def open_findings(found: Sequence[Finding], answered: Collection[tuple[str, str, str]]) -> list[Finding]:
    """Give the findings that keep a read from being signed.

    ``answered`` holds (check_key, group, repeat_key) of soft findings that the reader gave a reason for.
    """
    return [
        each
        for each in found
        if each.severity == "hard" or (each.check_key, each.group, each.repeat_key) not in answered
    ]


def _of(key: str, sentence: str, group: str, lesion: str = "", item: str = "", *, soft: bool = False) -> Finding:
    severity: Severity = "soft" if soft else "hard"
    return Finding(key, sentence, severity, item, group, lesion)


def _identity(values: ReadValues) -> Iterator[Finding]:
    kinds = (("targets", values.targets), ("non_targets", values.non_targets), ("new_lesions", values.new_lesions))
    seen = Counter(each.id for _, lesions in kinds for each in lesions)
    for group, lesions in kinds:
        for each in lesions:
            if not each.id or seen[each.id] > 1:
                yield _of("lesion_id", "Every lesion needs its own number; renumber this one.", group, each.id, "id")
            if not each.location:
                sentence = "Say where in the organ the lesion is, so that it is found again at the next time point."
                yield _of("location", sentence, group, each.id, "location")


def _targets(baseline: ReadValues | None, earlier: Sequence[ReadValues], values: ReadValues) -> Iterator[Finding]:
    if baseline is None:
        yield from _choice_of_targets(values)
    else:
        yield from _same_lesions(baseline.targets, values.targets, "targets")
    before = {each.id: each for read in ([baseline] if baseline else []) + list(earlier) for each in read.targets}
    for lesion in values.targets:
        yield from _target(lesion, values)
        if baseline is None:
            yield from _measurable(lesion)
        elif lesion.id in before:
            yield from _large_step(before[lesion.id], lesion)


def _choice_of_targets(values: ReadValues) -> Iterator[Finding]:
    if len(values.targets) > MOST_TARGETS:
        sentence = f"At most {MOST_TARGETS} target lesions are followed; make the others non-target lesions."
        yield _of("too_many_targets", sentence, "targets")
    for organ, count in Counter(counting_organ(each) for each in values.targets).items():
        if count > MOST_TARGETS_AN_ORGAN:
            last = [each.id for each in values.targets if counting_organ(each) == organ][MOST_TARGETS_AN_ORGAN]
            sentence = (
                f"At most {MOST_TARGETS_AN_ORGAN} target lesions are followed in one organ (all lymph nodes "
                "together are one, and so are both of a pair); make the others non-target lesions."
            )
            yield _of("too_many_in_organ", sentence, "targets", last, "organ")
    if not values.targets and not values.non_targets:
        sentence = "No lesion is given, so only new lesions can be judged later; say in a reason that this is so."
        yield _of("no_lesion", sentence, "targets", soft=True)
    elif not values.targets:
        sentence = "There is no target lesion, so no partial response can be found; say in a reason that this is so."
        yield _of("no_target", sentence, "targets", soft=True)


def _same_lesions(
    before: Sequence[TargetLesion | NonTargetLesion], now: Sequence[TargetLesion | NonTargetLesion], group: str
) -> Iterator[Finding]:
    """Lesions are carried forward as they were chosen at baseline: none may go, come or change its place."""
    given = {each.id: each for each in now}
    known = {each.id: each for each in before}
    for key in sorted(known.keys() - given.keys()):
        sentence = "A lesion of the baseline is missing; say what became of it, or that it cannot be evaluated."
        yield _of("lesion_missing", sentence, group, key)
    for key in sorted(given.keys() - known.keys()):
        sentence = "This lesion was not chosen at baseline; record it under new lesions if it is new."
        yield _of("lesion_added", sentence, group, key)
    for key in sorted(known.keys() & given.keys()):
        if (known[key].organ, known[key].location) != (given[key].organ, given[key].location):
            sentence = "Organ and place of a lesion stay those of the baseline; reopen the baseline if they are wrong."
            yield _of("lesion_moved", sentence, group, key, "location")


def _target(lesion: TargetLesion, values: ReadValues) -> Iterator[Finding]:
    if lesion.state is None:
        yield _of("state", "Measure this lesion, or say why it is not measured.", "targets", lesion.id, "state")
        return
    if lesion.state is TargetState.MEASURED:
        yield from _measurements(lesion)
    elif lesion.measurements:
        sentence = f"This lesion is {lesion.state.value} and has a diameter all the same; take one of the two away."
        yield _of("contradiction", sentence, "targets", lesion.id, "state")
    if lesion.state is TargetState.NOT_EVALUABLE:
        yield from _unevaluable(lesion.reason, "targets", lesion.id)
    if lesion.state is TargetState.MERGED:
        into = next((each for each in values.targets if each.id == lesion.merged_into), None)
        if into is None or into.id == lesion.id or into.state is not TargetState.MEASURED:
            sentence = "Name the other target lesion it grew together with, and measure that one as the whole."
            yield _of("merged_into", sentence, "targets", lesion.id, "merged_into")


def _unevaluable(reason: str, group: str, lesion: str) -> Iterator[Finding]:
    if not reason:
        yield _of("reason", "Say why this lesion cannot be evaluated.", group, lesion, "reason")
    sentence = "This lesion is not evaluable, so the response may be NE; make sure that no image of it can be used."
    yield _of("not_evaluable", sentence, group, lesion, "state", soft=True)


def _measurements(lesion: TargetLesion) -> Iterator[Finding]:
    if not lesion.measurements:
        yield _of("diameter", "Measure this lesion in mm.", "targets", lesion.id, "diameter")
    if lesion.nodal and len(lesion.measurements) > 1:
        sentence = "A lymph node has one short axis; only other lesions are measured in parts after they came apart."
        yield _of("parts", sentence, "targets", lesion.id, "diameter")
    for part in lesion.measurements:
        yield from _measurement(part, lesion.id)


def _measurement(part: Measurement, lesion: str) -> Iterator[Finding]:
    if part.mm is None:
        sentence = "A diameter is a number of mm with at most one decimal, such as 12 or 12.5."
        yield _of("type", sentence, "targets", lesion, "diameter")
    elif part.mm == 0:
        sentence = "A lesion that is gone has no diameter; choose “absent”, or “too small to measure” (5 mm)."
        yield _of("zero", sentence, "targets", lesion, "diameter")
    elif part.mm > LONGEST:
        yield _of("range", f"A diameter above {LONGEST} mm is not possible.", "targets", lesion, "diameter")
    if not part.sop_instance_uid:
        sentence = "Say on which image the diameter was taken: draw it in the viewer, or choose series and slice."
        yield _of("instance", sentence, "targets", lesion, "sop_instance_uid")
    if part.frame < 1:
        yield _of("frame", "Frames of an image count from 1.", "targets", lesion, "frame")
    if len(part.end_points) not in {0, 2}:
        yield _of("end_points", "A line has two end points; draw it again.", "targets", lesion, "diameter")


def _measurable(lesion: TargetLesion) -> Iterator[Finding]:
    """At baseline a target is measured, once, and large enough (3.1)."""
    if lesion.state not in {None, TargetState.MEASURED}:
        yield _of("baseline_state", "At baseline every target lesion is measured.", "targets", lesion.id, "state")
    if len(lesion.measurements) > 1:
        yield _of("parts", "At baseline each part is a lesion of its own.", "targets", lesion.id, "diameter")
    mm, smallest = lesion.counted_mm, smallest_mm(lesion)
    if lesion.state is TargetState.MEASURED and mm is not None and mm < smallest:
        axis = "short" if lesion.nodal else "long"
        sentence = (
            f"A target lesion like this one has a {axis} axis of at least {smallest} mm on images of this slice "
            "thickness; make it a non-target lesion."
        )
        yield _of("too_small", sentence, "targets", lesion.id, "diameter")
    if lesion.organ is Organ.BONE:
        sentence = "A bone lesion is measurable only where it has a soft tissue part; say in a reason that it has."
        yield _of("bone", sentence, "targets", lesion.id, "organ", soft=True)


def _large_step(before: TargetLesion, now: TargetLesion) -> Iterator[Finding]:
    old, new = before.counted_mm, now.counted_mm
    measured = now.state is TargetState.MEASURED and before.state is TargetState.MEASURED
    if not measured or old is None or new is None or not old or not new:
        return
    if new >= old * LARGE_STEP or old >= new * LARGE_STEP:
        sentence = "This diameter is at least twice or at most half the one before; make sure it is the same lesion."
        yield _of("large_step", sentence, "targets", now.id, "diameter", soft=True)


def _non_targets(baseline: ReadValues | None, values: ReadValues) -> Iterator[Finding]:
    if baseline is not None:
        yield from _same_lesions(baseline.non_targets, values.non_targets, "non_targets")
    for lesion in values.non_targets:
        if lesion.state is None:
            yield _of("state", "Say what became of this lesion.", "non_targets", lesion.id, "state")
        elif baseline is None and lesion.state is not NonTargetState.PRESENT:
            yield _of("baseline_state", "At baseline every lesion is present.", "non_targets", lesion.id, "state")
        elif lesion.state is NonTargetState.NOT_EVALUABLE:
            yield from _unevaluable(lesion.reason, "non_targets", lesion.id)


def _new(baseline: ReadValues | None, values: ReadValues) -> Iterator[Finding]:
    group = "new_lesions"
    if baseline is None:
        if values.new not in {None, Seen.NO} or values.new_lesions:
            yield _of("baseline_new", "At baseline no lesion is new; record it as target or non-target.", group)
        return
    if values.new is None and values.quality is not ImageQuality.UNREADABLE:
        yield _of("new", "Say whether there are new lesions.", group, item="new")
    certainties = {each.certainty for each in values.new_lesions}
    strongest = Seen.YES if Seen.YES in certainties else Seen.EQUIVOCAL if certainties else Seen.NO
    if values.new is not strongest and (values.new is not None or values.new_lesions):
        sentence = "The answer and the new lesions listed do not agree: list every new lesion, with how sure you are."
        yield _of("new_contradiction", sentence, group, item="new")
    for lesion in values.new_lesions:
        yield from _new_lesion(lesion, group)


def _new_lesion(lesion: NewLesion, group: str) -> Iterator[Finding]:
    if lesion.certainty is Seen.NO:
        yield _of("certainty", "A new lesion is certain or equivocal.", group, lesion.id, "certainty")
    if not lesion.sop_instance_uid or lesion.frame < 1:
        sentence = "Say on which image the new lesion is seen: mark it in the viewer, or choose series and slice."
        yield _of("instance", sentence, group, lesion.id, "sop_instance_uid")
    if lesion.certainty is Seen.EQUIVOCAL:
        sentence = "An equivocal new lesion is no progression yet; look at it again at the next time point."
        yield _of("equivocal", sentence, group, lesion.id, "certainty", soft=True)


def _whole(values: ReadValues) -> Iterator[Finding]:
    if values.quality is None:
        yield _of("quality", "Say how well the images can be read.", "read", item="quality")
    if values.quality is ImageQuality.UNREADABLE:
        usable = [each for each in values.targets if each.counted_mm is not None]
        if usable or values.new is Seen.YES:
            sentence = "The images are said not to be readable and yet something was read; correct one of the two."
            yield _of("unreadable", sentence, "read", item="quality")
        if not values.comment:
            yield _of("comment", "Say in the comment why the images cannot be read.", "read", item="comment")


def _doubts(baseline: ReadValues, earlier: Sequence[ReadValues], values: ReadValues) -> Iterator[Finding]:
    """What a computed response should make a reader look at once more."""
    now = course(baseline, [*earlier, values])[-1]
    shrank = now.target in {Response.CR, Response.PR}
    if shrank and any(each.state is NonTargetState.PROGRESSED for each in values.non_targets):
        sentence = (
            "Target lesions respond while a non-target lesion progresses; that is progression only where the "
            "disease as a whole has grown so much that it outweighs the response."
        )
        yield _of("mixed", sentence, "non_targets", soft=True)
    if now.overall is Response.NE and sum_of_diameters(values.targets).known:
        sentence = "Some lesions were measured and yet the response is NE, because others were not."
        yield _of("partly_ne", sentence, "read", soft=True)
    if earlier and earlier[-1].new is Seen.EQUIVOCAL and values.new is Seen.YES:
        sentence = (
            "A lesion that was equivocal before and is certain now makes the earlier time point the progression; "
            "where it is the same lesion, ask for that read to be reopened."
        )
        yield _of("was_equivocal", sentence, "new_lesions", soft=True)
