"""Three days one after another on the same subject: the coordinator sends, the reader reads, the sponsor takes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.e2e import coordinator
from tests.e2e.first_day import Account
from tests.e2e.installation import Installation
from tests.e2e.visitor import Visit, Visitor
from tests.peers import OrthancPeer

PATIENT: Final = PATIENT_IDENTITIES[0]
DAYS: Final = {"SCR": coordinator.days_ago(60), "W8": coordinator.days_ago(4)}
"""When the time points were scanned, eight weeks apart."""


@dataclass
class Story:
    """An installation after its first day, and what has become of the one subject on it.

    The days are lived in their order and once, by whichever test asks first.
    """

    installation: Installation
    pictures: Path
    folder: Path
    orthanc: OrthancPeer | None = None
    number: str = ""
    studies: dict[str, str] = field(default_factory=dict)
    """StudyInstanceUIDs by visit, as the coordinator's pages told them."""
    linked: dict[str, set[str]] = field(default_factory=dict)
    """SOPInstanceUIDs by visit, as the interface for programs told them."""
    reads: list[str] = field(default_factory=list)
    """Addresses of what the reader has signed, baseline first."""
    casebook: Path | None = None
    """The PDF the sponsor took."""
    lived: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)

    def comes(self, visit: Visit, account: Account, path: str = "/") -> Visitor:
        """Let somebody sign in and be somewhere."""
        person = visit(self.installation.url)
        person.thorough, person.pictures = self.orthanc is None, self.pictures
        person.goto(path)
        person.sign_in(account.email, account.password)
        expect(person.page.locator(".ti-account-name")).to_have_text(account.name)
        return person

    def live(self, days: dict[str, Callable[[Story, Visit], None]], last: str, visit: Visit) -> None:
        """Live the days up to this one that are not lived yet; what failed once is not tried on what it left."""
        for name, day in days.items():
            if name not in self.lived:
                if name in self.begun:
                    pytest.fail(f"the {name}'s day, which comes before, failed", pytrace=False)
                self.begun.append(name)
                day(self, visit)
                self.lived.append(name)
            if name == last:
                return
