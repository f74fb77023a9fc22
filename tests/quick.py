"""What makes an application cheap to make again and again in one process, without changing what it answers.

Every test has an application of its own. What each of them would do anew and alike is done once here: templates are
translated once, and passwords are hashed at the least cost the method knows. Processes that tests start have none of
this; ``tests/test_quick.py`` holds them to the full cost.
"""

from __future__ import annotations

from types import CodeType

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from passlib.hash import sha256_crypt


class KeptTemplates(BytecodeCache):
    """Translated templates of this process, by file and content."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._kept[bucket.key, bucket.checksum] = bucket.code


def make_quick() -> None:
    """Give every application made after this, in this process, the cheap settings."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": KeptTemplates()}
    Flask.default_config = type(Flask.default_config)(
        {
            **Flask.default_config,
            "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {
                "argon2__rounds": 1, "argon2__memory_cost": 8, "argon2__parallelism": 1,
            },
        }
    )  # fmt: skip
    sha256_crypt.default_rounds = sha256_crypt.min_rounds  # the key in a one-time link, made by Python alone
