"""Is the process alive, and can the installation work: for load balancers and operators."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from trialimg.casework.readiness import unready
from trialimg.casework.services import services
from trialimg.web.guard import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public("A load balancer asks whether the process lives; the answer tells nothing else.")
def alive() -> Response:
    """Say that the process lives."""
    return jsonify(alive=True)


@blueprint.get("/readyz")
@public("A load balancer asks whether work can be done; the answer names the part that cannot, nothing else.")
def ready() -> tuple[Response, int]:
    """Say whether data base, vault, archive and worker can work; 503 names those that cannot."""
    faults = unready(services())
    return jsonify(ready=not faults, cannot_work=faults), 503 if faults else 200
