"""Fills the demo's casebooks by the acts people use: subjects enrolled, visits dated, forms filled."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from seed_data.answers import answers, with_open_checks
from seed_data.people import email
from seed_data.phantom.identities import PATIENT_IDENTITIES, Patient
from seed_data.story import SITES, STORY, SubjectStory, VisitStory
from trialimg.casework.access import Person, Place, site_place, slot_place, subject_place, visit_place
from trialimg.casework.accounts import OPERATOR, find_person
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.definition import current_definition
from trialimg.casework.enrolment import date_visit, enrol, mark_slot_not_done
from trialimg.casework.setup import add_site, sites
from trialimg.domain.trial import TrialDefinition
from trialimg.store.unit_of_work import unit_of_work

TRIAL = "DEMO"


@dataclass(frozen=True)
class Enrolled:
    """A subject of the story with its number."""

    story: SubjectStory
    number: str

    @property
    def patient(self) -> Patient:
        """Give who this is outside the trial."""
        return PATIENT_IDENTITIES[self.story.person]


def make_sites(trial: Place) -> dict[str, str]:
    """Set up the sites; gives their keys by number."""
    with unit_of_work(OPERATOR.actor, "demo sites", trial_id=trial.trial_id) as uow:
        for code, (name, country) in SITES.items():
            add_site(uow, trial, code=code, name=name, country=country)
    return {card.code: card.site_id for card in sites(trial.trial_id)}


def coordinator(site: str) -> Person:
    """Give the coordinator of a site."""
    return find_person(email(f"coordinator-{site}"))


def enrol_everybody() -> list[Enrolled]:
    """Enrol the subjects of the story, each by its site's coordinator, in the story's order."""
    found = []
    for story in STORY:
        patient = PATIENT_IDENTITIES[story.person]
        place = site_place(TRIAL, story.site)
        with coordinator(story.site).acting("enrolled", place) as uow:
            number = enrol(uow, place, birth_year=int(patient.birth_date[:4]), sex=patient.sex)
        found.append(Enrolled(story, number))
    return found


def numbered() -> list[Enrolled]:
    """Give the subjects of the story with the numbers they were given, in a data folder seeded before."""
    counts: dict[str, int] = {}
    definition = current_definition(site_place(TRIAL, "101").trial_id)
    found = []
    for story in STORY:
        counts[story.site] = counts.get(story.site, 0) + 1
        found.append(Enrolled(story, definition.subject_identifier(story.site, counts[story.site])))
    return found


def fill(enrolled: Enrolled, today: date) -> None:
    """Date the visits of one subject and fill their forms as the story says."""
    definition = current_definition(subject_place(TRIAL, enrolled.number).trial_id)
    for key, visit in enrolled.story.visits.items():
        place = visit_place(TRIAL, enrolled.number, key)
        day = today - timedelta(days=visit.days_ago)
        with coordinator(enrolled.story.site).acting("visit took place", place) as uow:
            date_visit(uow, place.visit_id, day, 0)
        if visit.slot_not_done:
            slot = slot_place(TRIAL, enrolled.number, key, "CT")
            with coordinator(enrolled.story.site).acting(visit.slot_not_done, slot) as uow:
                mark_slot_not_done(uow, slot.slot_id, visit.slot_not_done)
        _fill_forms(enrolled, definition, place, visit, day)


def _fill_forms(enrolled: Enrolled, definition: TrialDefinition, place: Place, visit: VisitStory, day: date) -> None:
    visit_def = definition.visit(place.visit_key)
    assert visit_def is not None
    forms = list(visit_def.forms)
    if visit.forms == "in progress":
        forms = forms[:3]  # what a coordinator gets done before lunch
    rng = random.Random(f"{enrolled.number} {place.visit_key}")
    for number, form in enumerate(forms):
        found = answers(form, place.visit_key, day, enrolled.patient, enrolled.story.visits, rng)
        half = visit.forms == "in progress" and number == len(forms) - 1
        if visit.forms == "open checks":
            found = with_open_checks(form, found)
        if half:
            found = dict(list(found.items())[:1])
        complete = not half and visit.forms != "open checks"
        with coordinator(enrolled.story.site).acting("", place) as uow:
            save_form(uow, place, form, Posted(0, found), complete=complete)
