"""The demo's accounts: one of each role, coordinators at every site, with fresh passwords for each new data folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from trialimg.casework.access import Place
from trialimg.casework.accounts import OPERATOR, find_person, give_role, invite
from trialimg.casework.password import one_time_link, set_password
from trialimg.casework.services import Services
from trialimg.domain.permission import INSTALLATION_ROLES, Role
from trialimg.store.unit_of_work import unit_of_work

FILE: Final = "demo-accounts.json"
_BY_OPERATOR: Final = frozenset({Role.ADMINISTRATOR, Role.TRIAL_ADMINISTRATOR})
PEOPLE: Final = (
    (Role.ADMINISTRATOR, "Ada Administrator", "administrator", ""),
    (Role.TRIAL_ADMINISTRATOR, "Tara Trialadmin", "trial-administrator", ""),
    (Role.SITE_COORDINATOR, "Clara Coordinator", "coordinator-101", "101"),
    (Role.SITE_COORDINATOR, "Colin Coordinator", "coordinator-102", "102"),
    (Role.SITE_COORDINATOR, "Ciara Coordinator", "coordinator-103", "103"),
    (Role.INVESTIGATOR, "Ines Investigator", "investigator-101", "101"),
    (Role.MONITOR, "Mona Monitor", "monitor", ""),
    (Role.DATA_MANAGER, "Dario Datamanager", "data-manager", ""),
    (Role.IMAGING_QC, "Quinn Quality", "imaging-qc", ""),
    (Role.READER, "Rita Reader", "reader-1", ""),
    (Role.READER, "Rolf Reader", "reader-2", ""),
    (Role.SPONSOR, "Sven Sponsor", "sponsor", ""),
    (Role.INSPECTOR, "Iris Inspector", "inspector", ""),
)


@dataclass(frozen=True)
class DemoAccount:
    """One line of the table of accounts."""

    role: str
    user: str
    password: str
    site: str


def email(name: str) -> str:
    """Give the address of a person of the demo."""
    return f"{name}@demo.example"


def make_accounts(services: Services, trial: Place, site_ids: dict[str, str], data: Path) -> None:
    """Invite everybody, give their roles, set their passwords, and write the list with mode 0600."""
    accounts = []
    for role, name, user, site in PEOPLE:
        password = "-".join(secrets.token_hex(3) for _ in range(3))
        # The operator invites the administrators, and the trial's administrator everybody else.
        by = OPERATOR if role in _BY_OPERATOR else find_person(email("trial-administrator"))
        with unit_of_work(by.actor, "demo account", trial_id=trial.trial_id) as uow:
            account_id = invite(uow, by, email=email(user), name=name)
            trial_id = None if role in INSTALLATION_ROLES else trial.trial_id
            give_role(uow, by, account_id, role, trial_id=trial_id, site_id=site_ids.get(site))
            link = one_time_link(uow, services, by, account_id)
        set_password(link.rsplit("/", 1)[-1], password)
        accounts.append(DemoAccount(role.value, email(user), password, site))
    handle = os.open(data / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        json.dump([asdict(account) for account in accounts], stream, indent=1)


def read_accounts(data: Path) -> list[DemoAccount]:
    """Read the list again."""
    path = data / FILE
    return [DemoAccount(**entry) for entry in json.loads(path.read_text())] if path.exists() else []
