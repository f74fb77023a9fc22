"""The answers that a choice offers, with the codes they are stored as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trialimg.domain.definition import Plain, Section, without_defaults


@dataclass(frozen=True)
class Choice:
    """One entry of a code list; ``concept`` is its NCI Thesaurus code where it has one."""

    code: str
    label: str
    concept: str = ""

    @classmethod
    def read(cls, section: Section) -> Choice:
        """Read one entry."""
        choice = cls(section.text("code"), section.text("label"), section.text("concept", ""))
        section.close()
        return choice

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        return without_defaults(code=self.code, label=self.label, concept=self.concept)


YES_NO: Final = (Choice("Y", "Yes", "C49488"), Choice("N", "No", "C49487"))
"""The answers of a yes/no item (CDISC code list NY, C66742, as far as forms offer it)."""


@dataclass(frozen=True)
class CodeList:
    """The answers that may be given; ``concept`` is the list's NCI Thesaurus code."""

    key: str
    title: str
    choices: tuple[Choice, ...]
    concept: str = ""

    @classmethod
    def read(cls, section: Section) -> CodeList:
        """Read one code list."""
        found = cls(
            section.text("key"),
            section.text("title"),
            tuple(Choice.read(each) for each in section.sections("choices")),
            section.text("concept", ""),
        )
        section.close()
        return found

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        choices = [choice.to_mapping() for choice in self.choices]
        return without_defaults(key=self.key, title=self.title, concept=self.concept, choices=choices)
