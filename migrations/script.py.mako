"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}

The law of a migration: it runs on SQLite and on PostgreSQL, up and down; it never changes or drops a row of the audit
trail; a downgrade that would drop a trail that is not empty refuses.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
