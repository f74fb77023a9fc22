"""The coordinator's day, end to end: a form filled, a study attached, cleaned, proved in the archive, and opened."""

from __future__ import annotations

from typing import Final

import pytest

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.e2e.conftest import Place
from tests.e2e.coordinator import come_to_work, date_visit, days_ago, enrol, fill_imaging_form, fill_vital_signs
from tests.e2e.first_day import TRIAL
from tests.e2e.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENT: Final = PATIENT_IDENTITIES[0]


def test_the_coordinators_day(place: Place, visit: Visit) -> None:
    clara = visit(place.installation.url)
    clara.thorough = place.orthanc is None
    day = days_ago(3)
    come_to_work(clara)
    clara.look("10-my-work", says="My work")
    number = enrol(clara, PATIENT)
    date_visit(clara.page, "Screening", day)
    clara.look("12-subject", TRIAL, number, says=number)
    subject = f"/trials/{TRIAL}/subjects/{number}"
    fill_vital_signs(clara, day)
    clara.look("15-history", TRIAL, "Vital signs", "History", says="History")
    clara.goto(subject)
    fill_imaging_form(clara.page, day)
