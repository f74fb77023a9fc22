"""Looks at what was received, in child processes, and sums it up for the person who must confirm it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import select

from trialimg.casework.services import Services
from trialimg.casework.submission import destroy_unneeded, load, move, quarantine
from trialimg.casework.summary import NOTE, FoundObject, Summary, parse_summary
from trialimg.domain.submission import Fate, Outcome
from trialimg.pipeline.child import Json, Limits, ask_each
from trialimg.pipeline.claim import Claim, load_claim
from trialimg.pipeline.grouping import Grouping
from trialimg.pipeline.intake import NAMES, shown_name
from trialimg.pipeline.judge import judge
from trialimg.pipeline.known import known_studies, slot_is_taken, told_marks
from trialimg.pipeline.work import Finish, Work
from trialimg.store.imaging import SubmissionObject
from trialimg.store.unit_of_work import UnitOfWork

PICTURE: Final = "thumb-"
"""The beginning of the keys of thumbnails among the notes of the quarantine; the series' index follows."""
_LONGEST_SIDE: Final = 128
_OTHER_CONTENT: Final = {
    "code": "image.same_uid_other_content",
    "sentence": (
        "Several files carry the same instance identifier with different content, and nobody can tell which is right: "
        "none of them is taken. Export the study again from the archive of the hospital."
    ),
}


@dataclass
class _Survey:
    """What is known so far, by ordinal."""

    work: Work
    claim: Claim
    names: dict[int, str]
    hashes: dict[int, str] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    images: dict[int, Json] = field(default_factory=dict)
    kinds: dict[int, tuple[str, Fate, str, str]] = field(default_factory=dict)
    new: list[int] = field(default_factory=list)

    def settle(self, ordinal: int, kind: str, fate: Fate, told: Mapping[str, str]) -> None:
        """Give an object its fate, with code and sentence."""
        self.images.pop(ordinal, None)
        self.kinds[ordinal] = (kind, fate, told.get("code", ""), told["sentence"])


def survey(work: Work) -> Finish:
    """Unpack, read every header, find what is twice, make thumbnails, judge, and write the summary."""
    claim = load_claim(work.submission_id)
    state = _Survey(work, claim, _names(work.submission_id))
    for each in claim.having(Fate.RECEIVED):
        state.hashes[each.ordinal], state.sizes[each.ordinal] = each.received_sha256, each.received_size
    setup = child_setup(work.services, claim)
    zips = _look(state, setup, list(state.hashes))
    if zips:
        _look(state, setup, _unpack(state, setup, zips))
    _find_repeats(state, setup)
    summary = _sum_up(state, setup)
    quarantine(work.submission_id).note(NOTE, summary.to_json())
    return lambda uow: _finish(uow, state)


def child_setup(services: Services, claim: Claim) -> Json:
    """Give what a child needs to know to look at, and to clean, the objects of a submission."""
    sending, settings = claim.sending, services.settings
    return {
        "vault": str(services.vault.root.resolve()),
        "reserve": settings.vault_reserve_mb * 2**20,
        "submission": claim.submission_id,
        "profile": sending.profile.to_mapping(),
        "identity": sending.identity._asdict(),
        "subject_key": sending.subject_key.hex(),
        "fingerprint_key": "" if claim.cleaned_at_source else sending.fingerprint_key.hex(),
        "zip": {
            "objects": settings.zip_objects,
            "ratio": settings.zip_ratio,
            "largest": services.vault.free_bytes(),
        },
    }


def _names(submission_id: str) -> dict[int, str]:
    """Read the names of the files as sent, and of what an earlier survey unpacked."""
    area = quarantine(submission_id)
    earlier = area.read_note(NOTE)
    names = {each.ordinal: each.name for each in parse_summary(earlier).objects} if earlier else {}
    for line in (area.read_note(NAMES) or b"").splitlines():
        told = json.loads(line)
        names[told["ordinal"]] = told["name"]
    return names


def _look(state: _Survey, setup: Json, ordinals: list[int]) -> list[int]:
    """Read the headers of these objects; give those which are zips."""
    zips = []
    todo = [{"do": "look", "ordinal": n, "sha256": state.hashes[n]} for n in ordinals if n not in state.kinds]
    for done, (request, answer) in enumerate(ask_each(todo, setup, Limits.of(state.work.services.settings)), 1):
        ordinal = request["ordinal"]
        told = answer.get("done")
        if told is None:
            state.settle(ordinal, "refused", Fate.REFUSED, answer["refused"])
        elif told["kind"] == "zip":
            zips.append(ordinal)
        elif told["kind"] == "index":
            sentence = "This is the index of a medium (DICOMDIR), not an image; what it lists is read by itself."
            state.settle(ordinal, "index", Fate.LEFT_OUT, {"sentence": sentence})
        else:
            state.images[ordinal] = told
        state.work.progress(done, len(todo))
    return sorted(zips)


def _unpack(state: _Survey, setup: Json, zips: list[int]) -> list[int]:
    """Unpack zips into objects of their own; give the ordinals of the new ones."""
    following = max(each.ordinal for each in state.claim.objects) + 1
    todo = [{"do": "unpack", "ordinal": n, "sha256": state.hashes[n]} for n in zips]
    answers = {
        request["ordinal"]: answer
        for request, answer in ask_each(todo, setup, Limits.of(state.work.services.settings), children=1)
    }
    for ordinal in zips:
        state.work.go_on()
        if "refused" in answers[ordinal]:
            state.settle(ordinal, "refused", Fate.REFUSED, answers[ordinal]["refused"])
            continue
        entries = answers[ordinal]["done"]["entries"]
        for number, entry in enumerate(entries, following):
            state.hashes[number], state.sizes[number] = entry["sha256"], entry["size"]
            state.names[number] = shown_name(f"{state.names.get(ordinal, 'zip')}/{entry['name']}")
            state.new.append(number)
            if entry["refused"]:
                told = {"code": "image.unsafe_zip", "sentence": entry["refused"]}
                state.settle(number, "refused", Fate.REFUSED, told)
        following += len(entries)
        state.settle(ordinal, "zip", Fate.LEFT_OUT, {"sentence": f"The zip was unpacked into {len(entries)} files."})
    return list(state.new)


def _find_repeats(state: _Survey, setup: Json) -> None:
    """Find the same bytes twice, and the same instance twice with equal or with other content."""
    first: dict[str, int] = {}
    for ordinal in sorted(state.images):
        if first.setdefault(state.hashes[ordinal], ordinal) != ordinal:
            state.settle(ordinal, "duplicate", Fate.DUPLICATE, {"sentence": "The same file came twice; one is taken."})
    by_uid: dict[str, list[int]] = defaultdict(list)
    for ordinal in sorted(state.images):
        by_uid[state.images[ordinal]["sop_instance_uid"]].append(ordinal)
    twice = [ordinals for ordinals in by_uid.values() if len(ordinals) > 1]
    todo = [{"do": "canonical", "ordinal": n, "sha256": state.hashes[n]} for group in twice for n in group]
    limits = Limits.of(state.work.services.settings)
    content = {r["ordinal"]: a.get("done", {}).get("canonical_hash", "") for r, a in ask_each(todo, setup, limits)}
    for group in twice:
        state.work.go_on()
        same = len({content[ordinal] for ordinal in group}) == 1 and content[group[0]]
        for ordinal in group[1:] if same else group:
            if same:
                told = {"sentence": "The same instance came twice, with equal content; one is taken."}
                state.settle(ordinal, "duplicate", Fate.DUPLICATE, told)
            else:
                state.settle(ordinal, "refused", Fate.REFUSED, _OTHER_CONTENT)


def _sum_up(state: _Survey, setup: Json) -> Summary:
    if state.claim.cleaned_at_source:
        # Its identifier is new, and another for each subject: only the sender knows what the original was.
        told = told_marks(state.claim)
        for facts in state.images.values():
            facts["fingerprint"] = told.get(facts["study_instance_uid"], facts["fingerprint"])
    grouping = Grouping()
    series_of = {ordinal: grouping.add(ordinal, state.images[ordinal]) for ordinal in sorted(state.images)}
    summary = Summary(
        [_found(state, ordinal, series_of.get(ordinal)) for ordinal in sorted(state.hashes)],
        grouping.patients,
        # A shifted date beside the true one that a person gives would tell the shift.
        grouping.studies if state.claim.tells_true_dates else [replace(each, date="") for each in grouping.studies],
        grouping.series(_thumbnails(state, setup, grouping.middles())),
    )
    marks = [study.fingerprint for study in summary.studies if study.fingerprint]
    here = {facts["study_instance_uid"]: facts["fingerprint"] for facts in state.images.values()}
    known = known_studies(state.claim, marks, here if state.claim.cleaned_at_source else {})
    return replace(summary, problems=judge(state.claim, summary, known, slot_is_taken=slot_is_taken(state.claim)))


def _found(state: _Survey, ordinal: int, series: int | None) -> FoundObject:
    kind, _, _, sentence = state.kinds.get(ordinal, ("image", Fate.RECEIVED, "", ""))
    return FoundObject(ordinal, state.names.get(ordinal, ""), kind, sentence, series)


def _thumbnails(state: _Survey, setup: Json, middles: Mapping[int, int]) -> dict[int, str]:
    todo: list[Json] = [
        {
            "do": "picture", "series": series, "sha256": state.hashes[ordinal], "note": f"{PICTURE}{series}",
            "longest": _LONGEST_SIDE,
        }
        for series, ordinal in middles.items()
    ]  # fmt: skip
    found = {}
    for request, answer in ask_each(todo, setup, Limits.of(state.work.services.settings)):
        state.work.go_on()
        if "done" in answer:
            found[request["series"]] = request["note"]
    return found


def _finish(uow: UnitOfWork, state: _Survey) -> None:
    submission = load(uow, state.claim.submission_id)
    wanted = select(SubmissionObject).where(SubmissionObject.submission_id == submission.id)
    rows = {row.ordinal: row for row in uow.session.scalars(wanted)}
    for ordinal in state.new:
        rows[ordinal] = SubmissionObject(
            submission_id=submission.id, ordinal=ordinal, received_sha256=state.hashes[ordinal],
            received_size=state.sizes[ordinal], fate=Fate.RECEIVED.value,
        )  # fmt: skip
        uow.session.add(rows[ordinal])
    submission.announced += len(state.new)
    for ordinal, (_, fate, code, sentence) in state.kinds.items():
        row = rows[ordinal]
        row.fate, row.code, row.sentence = fate.value, code, sentence
    if state.images:
        move(uow, submission, Outcome.SURVEYED, _account(state))
    else:
        move(uow, submission, Outcome.NOTHING_USABLE, _refusal(state), code=_first_code(state))
    destroy_unneeded(uow, submission)


def _account(state: _Survey) -> str:
    """Say in neutral words what was found; names are told on the page, from the quarantine."""
    counts = Counter(fate for _, fate, _, _ in state.kinds.values())
    told = ["1 image was found" if len(state.images) == 1 else f"{len(state.images)} images were found"]
    if counts[Fate.REFUSED]:
        told.append(f"{counts[Fate.REFUSED]} of {len(state.hashes)} files cannot be taken")
    if counts[Fate.DUPLICATE]:
        told.append(f"{counts[Fate.DUPLICATE]} came twice")
    return f"{'; '.join(told)}. Look at {'it' if len(state.images) == 1 else 'them'} and confirm what goes on."


def _refusal(state: _Survey) -> str:
    if len(state.hashes) == 1 and state.kinds:
        return next(iter(state.kinds.values()))[3]
    sentences = Counter(sentence for _, fate, _, sentence in state.kinds.values() if fate is Fate.REFUSED)
    most = f" Most often: {sentences.most_common(1)[0][0]}" if sentences else ""
    return f"None of the {len(state.hashes)} files can be taken; nothing was kept.{most}"


def _first_code(state: _Survey) -> str:
    return next((code for _, fate, code, _ in state.kinds.values() if fate is Fate.REFUSED), "")
