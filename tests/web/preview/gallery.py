"""A gallery of every part in every state, an upload target and a viewer with one image: for tests only."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path
from typing import Any, Self

import pydicom
from flask import Flask, Response, jsonify, render_template, request, send_from_directory
from jinja2 import ChoiceLoader, FileSystemLoader
from pydicom.data import get_testdata_file
from werkzeug.serving import WSGIRequestHandler, make_server
from wtforms import BooleanField, Form, PasswordField, RadioField, SelectField, StringField, SubmitField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from tests.web.preview import samples

WEB = Path(__file__).resolve().parents[3] / "trialimg" / "web"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
VIEWER_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self' blob: data:; "
    "font-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)
PAGES = ("states", "form", "tables", "upload", "confirm", "plain", "nothing")


class SignIn(Form):
    """An ordinary WTForms input with one field of each kind that the pages use."""

    name = StringField(
        "User name", [InputRequired("Enter your user name.")], description="Usually your e-mail."
    )
    password = PasswordField("Password", [InputRequired("Enter your password.")])
    role = SelectField("Role", choices=[SelectChoice("c", "Site coordinator"), SelectChoice("m", "Monitor")])
    sex = RadioField("Sex", choices=[SelectChoice("F", "Female"), SelectChoice("M", "Male")])
    stay = BooleanField("Stay signed in")
    send = SubmitField("Sign in")


class Server:
    """What the upload page talks to: it keeps what arrives and answers as `plan` says.

    ``plan`` maps an ordinal to the statuses of its first answers; then 201 follows, after ``pause`` seconds.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.objects: dict[int, tuple[str, bytes]] = {}
        self.plan: dict[int, list[int]] = {}
        self.created: list[dict[str, str]] = []
        self.completed: list[dict[str, int]] = []
        self.cancelled = 0
        self.asked, self.answers = 0, 3
        self.pause = 0.0
        self.at_once = self.most_at_once = 0

    @property
    def stage(self) -> str:
        """Give how far the work is by how often it was asked for."""
        return "sent" if self.asked >= 2 else "clean"


def _problem(status: int) -> Response:
    body = {"title": "Refused", "detail": f"A sentence of the server about {status}.", "code": "test"}
    return Response(json.dumps(body), status, mimetype="application/problem+json")


def _frame(server: Server) -> dict[str, Any]:
    return {
        "shell": samples.SHELL,
        "csrf_token": lambda: "token-of-the-test",
        "samples": samples,
        "server": server,
    }


def _add_pages(app: Flask, server: Server) -> None:
    @app.get("/gallery/<page>")
    def gallery(page: str) -> str:
        inputs = SignIn(data={"sex": "F"})
        if request.args.get("errors"):
            inputs = SignIn()
            inputs.validate()
        return render_template(f"{page}.html", inputs=inputs)

    @app.get("/progress")
    def progress() -> Response:
        server.asked += 1
        done = server.asked >= server.answers
        state = {"stage": server.stage, "done": server.asked, "total": 4, "sentence": f"Cleaned {server.asked}."}
        return jsonify({**state, "finished": done, "needs_person": False})


def _add_upload(app: Flask, server: Server) -> None:
    @app.post("/uploads")
    def create() -> Response:
        server.created.append(dict(request.form))
        base = "/uploads/7"
        return jsonify(
            id=7,
            objects_url=f"{base}/objects",
            complete_url=f"{base}/complete",
            cancel_url=f"{base}/cancel",
            page_url="/gallery/nothing",
        )

    @app.post("/uploads/7/objects")
    def take() -> Response | tuple[str, int]:
        assert request.headers["X-CSRFToken"] == "token-of-the-test"
        ordinal = int(request.headers["X-Object-Ordinal"])
        with server.lock:
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            planned = server.plan.get(ordinal) or []
            status = planned.pop(0) if planned else 201
        body = request.get_data()
        time.sleep(server.pause)
        with server.lock:
            server.at_once -= 1
            if status == 201:
                server.objects[ordinal] = (request.headers["X-Object-Name"], body)
        return ("", 201) if status == 201 else _problem(status)

    @app.post("/uploads/7/complete")
    def complete() -> Response:
        server.completed.append(request.get_json())
        return jsonify({})

    @app.post("/uploads/7/cancel")
    def cancel() -> Response:
        server.cancelled += 1
        return jsonify({})


def _dicom_json(items: list[dict[str, Any]]) -> Response:
    return Response(json.dumps(items), mimetype="application/dicom+json")


def _add_viewer(app: Flask) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for keyword in ("ReferringPhysicianName", "StudyID", "AccessionNumber"):
        setattr(dataset, keyword, "")
    frame = dataset.PixelData
    del dataset.PixelData
    whole = json.loads(dataset.to_json(suppress_invalid_tags=True))

    @app.get("/viewer/")
    @app.get("/viewer/<path:name>")
    def viewer(name: str = "index.html") -> Response:
        if name == "app-config.js":
            return send_from_directory(WEB / "static" / "viewer", name)
        if not (WEB / "viewer_dist" / name).is_file() and "." not in name.rsplit("/", 1)[-1]:
            name = "index.html"
        return send_from_directory(WEB / "viewer_dist", name)

    @app.get("/dicomweb/studies")
    @app.get("/dicomweb/studies/<study>/series")
    @app.get("/dicomweb/studies/<study>/series/<series>/metadata")
    def found(**_uids: str) -> Response:
        return _dicom_json([whole])

    @app.get("/dicomweb/studies/<study>/series/<series>/instances/<instance>/frames/1")
    def pixels(**_uids: str) -> Response:
        head = b"--B\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n"
        kind = 'multipart/related; type="application/octet-stream"; boundary=B'
        return Response(io.BytesIO(head + frame + b"\r\n--B--\r\n"), content_type=kind)


def make_gallery(server: Server) -> Flask:
    """Give the app of the gallery."""
    app = Flask("gallery", static_folder=str(WEB / "static"), static_url_path="/static")
    app.secret_key = "only a gallery"
    own = FileSystemLoader(Path(__file__).parent / "templates")
    app.jinja_loader = ChoiceLoader([own, FileSystemLoader(WEB / "templates")])
    frame = _frame(server)
    app.jinja_env.globals["csrf_token"] = frame["csrf_token"]
    app.context_processor(lambda: frame)
    _add_pages(app, server)
    _add_upload(app, server)
    _add_viewer(app)

    @app.after_request
    def policy(response: Response) -> Response:
        in_viewer = request.path.startswith("/viewer/")
        response.headers["Content-Security-Policy"] = VIEWER_POLICY if in_viewer else PAGE_POLICY
        return response

    return app


class Quiet(WSGIRequestHandler):
    """No line for each request."""

    def log_request(self, *_args: object) -> None:
        """Say nothing."""


class Running:
    """The gallery served on a free port of loopback, for as long as the block lasts."""

    def __init__(self) -> None:
        self.server = Server()
        self._http = make_server(
            "127.0.0.1", 0, make_gallery(self.server), threaded=True, request_handler=Quiet
        )
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._http.shutdown()
        self._thread.join(10)
