"""The first day of an installation, as its people live it: from the one-time link to a coordinator at a site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Page, expect

from tests.e2e.installation import FORMS, Installation
from tests.e2e.visitor import Visit, Visitor

SITES: Final = (("101", "University Hospital North", "DE"), ("102", "City Clinic West", "FR"))
TRIAL: Final = "DEMO"


@dataclass(frozen=True)
class Account:
    """Somebody with a password."""

    name: str
    email: str
    password: str


ADMINISTRATOR: Final = Account("Ada Administrator", "ada@example.org", "correct horse battery staple")
TRIAL_ADMINISTRATOR: Final = Account("Tara Trialadmin", "tara@example.org", "seven quiet lakes in autumn")
COORDINATOR: Final = Account("Clara Coordinator", "clara@example.org", "grey paper kites over harbour")
READER: Final = Account("Rhea Reader", "rhea@example.org", "three slow trains through barley")
SECOND_READER: Final = Account("Otto Otherreader", "otto@example.org", "old copper bells under snow")
SPONSOR: Final = Account("Saul Sponsor", "saul@example.org", "blue ladders lean on cedars")
LATER: Final = ((READER, "Reader"), (SECOND_READER, "Reader"), (SPONSOR, "Sponsor"))
"""Who works in the trial as a whole, each with a role; nobody of these looks around on the way."""


def operator(installation: Installation) -> str:
    """Do what the operator does at the command line; gives the administrator's one-time link."""
    made = installation.run("init", "--email", ADMINISTRATOR.email, "--name", ADMINISTRATOR.name)
    assert made.returncode == 0, made.stderr
    loaded = installation.run("trial", "load", str(FORMS))
    assert loaded.returncode == 0, loaded.stderr
    return made.stdout.strip().splitlines()[-1]


def set_password(person: Visitor, account: Account, link: str, picture: str = "") -> None:
    """Open a one-time link, set the password, sign in with it."""
    person.goto(link)
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Set your password")
    if picture:
        person.look(f"{picture}-link", says="Set your password")
    person.page.get_by_label("New password").fill(account.password)
    person.page.get_by_label("The same again").fill(account.password)
    person.page.get_by_role("button", name="Set the password").click()
    expect(person.page).to_have_url(re.compile("/sign-in"))
    person.sign_in(account.email, account.password)
    expect(person.page.locator(".ti-account-name")).to_have_text(account.name)


def invite(page: Page, account: Account, role: str, place: str) -> str:
    """Fill in the invitation that is open; gives the one-time link, which is shown this once."""
    page.get_by_label("Name", exact=False).first.fill(account.name)
    page.get_by_label("E-mail address").fill(account.email)
    page.get_by_label("Role", exact=False).select_option(label=role)
    page.locator("select[name=place]").select_option(place)
    page.get_by_role("button", name="Invite").click()
    link = page.get_by_label("One-time link")
    expect(link).to_be_visible()
    return link.input_value()


def first_day(installation: Installation, visit: Visit) -> None:
    """Live the first day; the server runs."""
    link = operator(installation)
    installation.start()
    ada = visit(installation.url)
    set_password(ada, ADMINISTRATOR, link, "01-administrator")
    ada.goto("/admin")
    ada.look("02-administration", says="Administration")
    tara_link = invite(ada.page, TRIAL_ADMINISTRATOR, "Trial administrator", TRIAL)
    ada.look("03-invited", says="Administration")
    ada.sign_out()

    tara = visit(installation.url)
    set_password(tara, TRIAL_ADMINISTRATOR, tara_link, "04-trial-administrator")
    tara.goto(f"/trials/{TRIAL}/sites")
    for code, name, country in SITES:
        tara.page.get_by_label("Code", exact=False).first.fill(code)
        tara.page.get_by_label("Name", exact=False).first.fill(name)
        tara.page.get_by_label("Country", exact=False).first.fill(country)
        tara.page.get_by_role("button", name="Add the site").click()
        expect(tara.page.get_by_role("rowheader", name=code)).to_be_visible()
    tara.look("05-sites", TRIAL, "Sites", says="Sites")
    tara.page.get_by_role("link", name="People").click()
    clara_link = invite(tara.page, COORDINATOR, "Site coordinator", SITES[0][0])
    links = []
    for account, role in LATER:
        tara.goto(f"/trials/{TRIAL}/people")
        links.append(invite(tara.page, account, role, ""))
    tara.look("06-people", TRIAL, "People", says="People")

    clara = visit(installation.url)
    set_password(clara, COORDINATOR, clara_link, "07-coordinator")
    clara.goto(clara_link)
    expect(clara.page.locator("main")).not_to_contain_text("New password")
    for (account, _), one in zip(LATER, links, strict=True):
        clara.sign_out()
        set_password(clara, account, one)
