"""A trial with two sites, laid straight into the tables, for tests of enrolment and data entry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trialimg.casework.access import Person, Place, site_place, visit_place
from trialimg.casework.enrolment import enrol
from trialimg.domain.permission import Grant, Role
from trialimg.domain.trial import TrialDefinition
from trialimg.store.base import new_id, utc_now
from trialimg.store.trial import Site, Trial, TrialDefinitionVersion
from trialimg.store.unit_of_work import Actor, unit_of_work
from trialimg.trialfiles import load

DEMO = Path(__file__).resolve().parents[2] / "forms" / "demo" / "1.0"
SETTER = Actor("setter")


@dataclass(frozen=True)
class Bed:
    """A trial as loaded, with a coordinator of site 101, one of 102, and a monitor of the whole trial."""

    trial_id: str
    code: str
    coordinator: Person
    elsewhere: Person
    monitor: Person

    def site(self, code: str = "101") -> Place:
        return site_place(self.code, code)

    def enrol(self, site: str = "101", *, birth_year: int | None = 1960, sex: str | None = "F") -> str:
        place = self.site(site)
        with unit_of_work(self.coordinator.actor, trial_id=place.trial_id) as uow:
            return enrol(uow, place, birth_year=birth_year, sex=sex)

    def visit(self, number: str, key: str = "SCR") -> Place:
        return visit_place(self.code, number, key)


def demo() -> TrialDefinition:
    return load(DEMO)


def _person(name: str, role: Role, trial: str, site: str | None) -> Person:
    return Person(new_id(), f"{name}@example.org", name, (Grant(role, trial, site),))


def lay(definition: TrialDefinition | None = None) -> Bed:
    """Put a trial into an empty, migrated installation; needs an application context."""
    rules = definition or demo()
    trial, version = Trial(id=new_id(), code=rules.code, title=rules.title), new_id()
    sites = {code: Site(id=new_id(), trial_id=trial.id, code=code, name=f"Site {code}") for code in ("101", "102")}
    trial.definition_id = version
    with unit_of_work(SETTER, "a trial for tests", trial_id=trial.id) as uow:
        uow.session.add(trial)
        uow.session.flush()
        uow.session.add_all(sites.values())
        kept = TrialDefinitionVersion(id=version, trial_id=trial.id, version=rules.version, digest="0" * 64)
        kept.content, kept.loaded_at = rules.to_json(), utc_now()
        uow.session.add(kept)
    return Bed(
        trial.id, rules.code,
        _person("coordinator", Role.SITE_COORDINATOR, trial.id, sites["101"].id),
        _person("elsewhere", Role.SITE_COORDINATOR, trial.id, sites["102"].id),
        _person("monitor", Role.MONITOR, trial.id, None),
    )  # fmt: skip
