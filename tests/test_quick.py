"""The cheap settings of tests stay in the tests' own process, and change no answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jinja2 import DictLoader, Environment

from tests.quick import KeptTemplates

ROOT = Path(__file__).resolve().parent.parent
ASK = """
import sys
from pathlib import Path
from flask_security import hash_password
from trialimg.app import create_app
from trialimg.settings import read_settings
app = create_app(read_settings({}, data=Path(sys.argv[1]))[0])
with app.app_context():
    print(hash_password("granite-otter-87-lantern"))
"""


def hashed_by_a_process(data: Path) -> str:
    done = subprocess.run([sys.executable, "-c", ASK, str(data)], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_installation_hashes_passwords_at_full_cost(settings):
    assert hashed_by_a_process(settings.data).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_password_hashed_at_full_cost_is_verified_here_and_the_other_way_round(context, settings):
    from flask_security import hash_password, verify_password

    assert verify_password("granite-otter-87-lantern", hashed_by_a_process(settings.data))
    here = hash_password("granite-otter-87-lantern")
    assert here.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert verify_password("granite-otter-87-lantern", here)
    assert not verify_password("granite-otter-87-lanterN", here)


def test_a_template_that_changed_is_translated_anew():
    kept = KeptTemplates()

    def rendered(source: str) -> str:
        return Environment(loader=DictLoader({"a.html": source}), bytecode_cache=kept).get_template("a.html").render()

    assert [rendered("one"), rendered("two"), rendered("one")] == ["one", "two", "one"]
