"""The definition a record was made under, and the one a trial works by now."""

from __future__ import annotations

from functools import lru_cache

from trialimg.domain.trial import TrialDefinition
from trialimg.errors import NotFound
from trialimg.store.base import db
from trialimg.store.trial import Trial, TrialDefinitionVersion


@lru_cache(maxsize=64)
def definition(definition_id: str) -> TrialDefinition:
    """Give a stored version; it never changes, so it is read once. Raises :class:`NotFound`."""
    found = db.session.get(TrialDefinitionVersion, definition_id)
    if found is None:
        raise NotFound
    return TrialDefinition.from_json(found.content)


def current_definition(trial_id: str) -> TrialDefinition:
    """Give the version that subjects enrolled now are enrolled under; raises :class:`NotFound`."""
    return definition(current_definition_id(trial_id))


def current_definition_id(trial_id: str) -> str:
    """Give the key of the version that subjects enrolled now are enrolled under; raises :class:`NotFound`."""
    trial = db.session.get(Trial, trial_id)
    if trial is None or trial.definition_id is None:
        raise NotFound
    return trial.definition_id
