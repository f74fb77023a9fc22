"""Central reading: reading codes, reads, their versions and their signatures, and who reads by what rule.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reading_code",
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_reading_code_subject_id")),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_reading_code_trial_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_code")),
        sa.UniqueConstraint("code", name=op.f("uq_reading_code_code")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_reading_code_subject_id")),
    )
    op.create_index(op.f("ix_reading_code_trial_id"), "reading_code", ["trial_id"], unique=False)
    op.create_table(
        "reading_rule",
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("assignment", sa.String(length=20), nullable=False),
        sa.Column("listed", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_reading_rule_trial_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading_rule")),
        sa.UniqueConstraint("trial_id", name=op.f("uq_reading_rule_trial_id")),
    )
    op.create_table(
        "read",
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("visit_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("basis_sentence", sa.Text(), nullable=False),
        sa.Column("void_reason", sa.Text(), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assigned_by", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_read_account_id")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_read_subject_id")),
        sa.ForeignKeyConstraint(["trial_id"], ["trial.id"], name=op.f("fk_read_trial_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visit.id"], name=op.f("fk_read_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read")),
        sa.UniqueConstraint("visit_id", "account_id", "number", name=op.f("uq_read_visit_id_account_id_number")),
    )
    for column in ("account_id", "state", "subject_id", "trial_id", "visit_id"):
        op.create_index(op.f(f"ix_read_{column}"), "read", [column], unique=False)
    op.create_table(
        "read_version",
        sa.Column("read_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("computed", sa.Text(), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["read_id"], ["read.id"], name=op.f("fk_read_version_read_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_version")),
        sa.UniqueConstraint("read_id", "version", name=op.f("uq_read_version_read_id_version")),
    )
    op.create_table(
        "read_signature",
        sa.Column("read_version_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("meaning", sa.String(length=200), nullable=False),
        sa.Column("record", sa.String(length=80), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.Column("computed", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("basis_sha256", sa.String(length=64), nullable=False),
        sa.Column("superseded_why", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["read_version_id"], ["read_version.id"], name=op.f("fk_read_signature_read_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_signature")),
    )
    op.create_index(op.f("ix_read_signature_read_version_id"), "read_signature", ["read_version_id"], unique=False)


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM read")).scalar():
        raise RuntimeError("The record of reads is not empty; it stays. Nothing was changed.")
    for table in ("read_signature", "read_version", "read", "reading_rule", "reading_code"):
        op.drop_table(table)
