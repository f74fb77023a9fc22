"""The images of a subject for a casebook: each linked study with its series and one picture of it."""

from __future__ import annotations

import base64
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import select

from trialimg.archive.port import Json
from trialimg.casework.access import Person, Place
from trialimg.casework.services import Services
from trialimg.casework.viewing import contents
from trialimg.documents.casebook import Series, Study
from trialimg.domain.permission import Permission
from trialimg.domain.submission import Fate
from trialimg.errors import BadInput, NotFound
from trialimg.reporting.child import key_image
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, SubmissionObject
from trialimg.store.subject import Visit

_NO_PICTURE: Final = frozenset({"SR", "PR", "KO", "AU", "DOC", "REG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", ""})
_INSTANCE_NUMBER, _SOP_INSTANCE_UID = "00200013", "00080018"


def studies_of(services: Services, person: Person, place: Place, folder: Path) -> tuple[Study, ...]:
    """Give the linked studies of a subject in the order of visits; ``folder`` takes files that are gone afterwards.

    Raises :class:`ArchiveUnavailable` where the archive cannot be asked for a picture now.
    """
    wanted = (
        select(ImagingStudy, Visit.key, Slot.key)
        .join(Slot, ImagingStudy.slot_id == Slot.id)
        .join(Visit, Slot.visit_id == Visit.id)
        .where(ImagingStudy.subject_id == place.subject_id, ImagingStudy.state == "linked")
        .order_by(Visit.ordinal, Slot.key, ImagingStudy.study_instance_uid)
    )
    may_open = person.may(Permission.OPEN_IMAGES, place)
    found = []
    for study, visit, slot in db.session.execute(wanted).all():
        made = _study(study, visit, slot)
        where = replace(place, study_id=study.id, study_instance_uid=study.study_instance_uid)
        found.append(_with_picture(services, where, made, folder) if may_open else _without(made, "not your role's"))
    return tuple(found)


def _study(study: ImagingStudy, visit: str, slot: str) -> Study:
    return Study(
        visit=visit,
        slot=slot,
        study_instance_uid=study.study_instance_uid,
        modalities=study.modalities,
        acquired=study.acquired.isoformat() if study.acquired else "not known",
        instances=study.instance_count,
        held=study.held_count,
        linked=f"{study.linked_at:%Y-%m-%d %H:%M} UTC by {study.linked_by}",
        series=_series(study.id),
    )


def _series(study_id: str) -> tuple[Series, ...]:
    wanted = select(SubmissionObject.series_instance_uid, SubmissionObject.modality).where(
        SubmissionObject.study_id == study_id, SubmissionObject.fate == Fate.SENT.value
    )
    counts = Counter((uid, modality) for uid, modality in db.session.execute(wanted))
    return tuple(Series(uid, modality, n) for (uid, modality), n in sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def _without(study: Study, why: str) -> Study:
    return replace(study, no_picture=f"No picture: {why}.")


def _with_picture(services: Services, place: Place, study: Study, folder: Path) -> Study:
    series = next((each for each in study.series if each.modality not in _NO_PICTURE), None)
    if series is None:
        return _without(study, "none of the series is a series of images")
    source, target = folder / "key-image.dcm", folder / "key-image.png"
    try:
        place_in, total, uid = _middle(services, place, series.series_instance_uid)
        fetched = services.archive.fetch(study.study_instance_uid, series.series_instance_uid, uid)
        with fetched as stream, source.open("wb") as file:
            shutil.copyfileobj(stream, file)
        key_image(services.settings, source, target)
        data = base64.b64encode(target.read_bytes()).decode()
    except NotFound:
        return _without(study, "the archive does not give the image; ask the operator to look at this study")
    except BadInput:
        return _without(study, "it cannot be decoded here; open the study in the viewer")
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    which = f"{series.modality}, image {place_in} of {total} of the largest series"
    alt = f"Key image of {study.slot} at {study.visit}: {which}"
    return replace(study, picture=f"data:image/png;base64,{data}", picture_alt=alt)


def _middle(services: Services, place: Place, series_uid: str) -> tuple[int, int, str]:
    """Find the instance in the middle of a series by its number: its place, how many there are, its UID."""
    allowed = contents(place).instances_of(series_uid)
    found = services.archive.search_instances(place.study_instance_uid, series_uid)
    uids = sorted((_number(each), uid) for each in found if (uid := _text(each, _SOP_INSTANCE_UID)) in allowed)
    if not uids:
        raise NotFound
    return len(uids) // 2 + 1, len(uids), uids[len(uids) // 2][1]


def _text(instance: Json, tag: str) -> str:
    values = instance.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _number(instance: Json) -> float:
    try:
        return float(_text(instance, _INSTANCE_NUMBER) or 0)
    except ValueError:
        return 0.0
