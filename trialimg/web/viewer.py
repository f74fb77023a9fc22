"""The viewer: OHIF on our own origin, and the image link that leads there."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.exceptions import NotFound as NoSuchFile
from werkzeug.security import safe_join
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework.access import study_place
from trialimg.casework.viewing import admit_to_images, read_to_open, record_opening
from trialimg.domain.permission import Permission
from trialimg.errors import OurFault
from trialimg.web.guard import current_person, current_place, requires, somewhere

blueprint = Blueprint("viewer", __name__)
DIST: Final = Path(__file__).parent / "viewer_dist"
CONFIG: Final = Path(__file__).parent / "static" / "viewer"


@blueprint.get("/studies/<study_instance_uid>")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def open_study(study_instance_uid: str) -> AnyResponse:
    """Follow the image link: the viewer, with this study; without a session it leads to sign-in and then here.

    A reader is led to the read, where form and viewer stand side by side.
    """
    del study_instance_uid
    person, place = current_person(), current_place()
    with person.acting("opened in the viewer", place) as uow:
        record_opening(uow, place)
    read = read_to_open(person, place)
    return redirect(f"/reads/{read}" if read else f"/viewer/viewer?StudyInstanceUIDs={place.study_instance_uid}")


@blueprint.get("/viewer/app-config.js")
@requires(Permission.OPEN_IMAGES, on=somewhere, admitting=admit_to_images)
def app_config() -> Response:
    """Give the viewer its configuration: one archive, our own door."""
    return send_from_directory(CONFIG, "app-config.js")


@blueprint.get("/viewer/")
@blueprint.get("/viewer/<path:path>")
@requires(Permission.OPEN_IMAGES, on=somewhere, admitting=admit_to_images)
def files(path: str = "index.html") -> Response:
    """Give the viewer's files; any address that is none of them is a page of the viewer itself."""
    if not (DIST / "index.html").exists():
        raise OurFault("The viewer is not installed here. An operator must run `make setup` and start again.")
    found = safe_join(str(DIST), path)
    is_file = found is not None and Path(found).is_file()
    if not is_file and "." in path.rsplit("/", 1)[-1]:
        raise NoSuchFile
    if not is_file:
        return send_from_directory(DIST, "index.html", max_age=0)
    return _packed(path) or send_from_directory(DIST, path, max_age=3600)


def _packed(path: str) -> Response | None:
    """Give the compressed copy of a file where there is one and the browser takes it: the viewer's code is 17 MB."""
    if not request.accept_encodings["gzip"] or not (DIST / f"{path}.gz").is_file():
        return None
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    response = send_from_directory(DIST, f"{path}.gz", mimetype=kind, max_age=3600)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return response
