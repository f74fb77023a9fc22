"""The law of the audit trail: triggers that refuse UPDATE, DELETE, TRUNCATE and replacing INSERT from any connection.

Revision ID: 0002
Revises: 0001

On SQLite a BEFORE INSERT trigger looks for every unique key, since INSERT OR REPLACE deletes rows without firing
delete triggers unless recursive_triggers is on, which a foreign connection need not do. The tables have no rowid, so
there is no further key. Values beside a record may go only when a redaction record names that record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SQLITE = (
    """CREATE TRIGGER audit_record_no_update BEFORE UPDATE ON audit_record
       BEGIN SELECT RAISE(ABORT, 'the audit trail is insert-only'); END""",
    """CREATE TRIGGER audit_record_no_delete BEFORE DELETE ON audit_record
       BEGIN SELECT RAISE(ABORT, 'the audit trail is insert-only'); END""",
    """CREATE TRIGGER audit_record_no_replace BEFORE INSERT ON audit_record
       WHEN EXISTS (SELECT 1 FROM audit_record r WHERE r.id = NEW.id)
         OR EXISTS (SELECT 1 FROM audit_record r WHERE r.chain = NEW.chain AND r.number = NEW.number)
         OR EXISTS (SELECT 1 FROM audit_record r WHERE r.hash = NEW.hash)
       BEGIN SELECT RAISE(ABORT, 'the audit trail is insert-only'); END""",
    """CREATE TRIGGER audit_value_no_update BEFORE UPDATE ON audit_value
       BEGIN SELECT RAISE(ABORT, 'the audit trail is insert-only'); END""",
    """CREATE TRIGGER audit_value_no_delete BEFORE DELETE ON audit_value
       WHEN NOT EXISTS (SELECT 1 FROM audit_record r WHERE r.action = 'redact' AND r.row_id = OLD.record_id)
       BEGIN SELECT RAISE(ABORT, 'a value goes only when a redaction record names it'); END""",
    """CREATE TRIGGER audit_value_no_replace BEFORE INSERT ON audit_value
       WHEN EXISTS (SELECT 1 FROM audit_value v WHERE v.record_id = NEW.record_id)
         OR EXISTS (SELECT 1 FROM audit_record r WHERE r.action = 'redact' AND r.row_id = NEW.record_id)
       BEGIN SELECT RAISE(ABORT, 'the audit trail is insert-only'); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION audit_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'the audit trail is insert-only'; END $$""",
    """CREATE FUNCTION audit_redaction_only() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF EXISTS (SELECT 1 FROM audit_record r WHERE r.action = 'redact' AND r.row_id = OLD.record_id) THEN
           RETURN OLD;
         END IF;
         RAISE EXCEPTION 'a value goes only when a redaction record names it';
       END $$""",
    """CREATE TRIGGER audit_record_law BEFORE UPDATE OR DELETE ON audit_record
       FOR EACH ROW EXECUTE FUNCTION audit_insert_only()""",
    """CREATE TRIGGER audit_record_no_truncate BEFORE TRUNCATE ON audit_record
       FOR EACH STATEMENT EXECUTE FUNCTION audit_insert_only()""",
    """CREATE TRIGGER audit_value_law BEFORE UPDATE ON audit_value
       FOR EACH ROW EXECUTE FUNCTION audit_insert_only()""",
    """CREATE TRIGGER audit_value_redaction BEFORE DELETE ON audit_value
       FOR EACH ROW EXECUTE FUNCTION audit_redaction_only()""",
    """CREATE TRIGGER audit_value_no_truncate BEFORE TRUNCATE ON audit_value
       FOR EACH STATEMENT EXECUTE FUNCTION audit_insert_only()""",
)


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL if postgresql else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    bind = op.get_bind()
    if bind.execute(sa.text("SELECT count(*) FROM audit_record")).scalar():
        raise RuntimeError("The audit trail is not empty; a downgrade would lift its law. Nothing was changed.")
    if bind.dialect.name == "postgresql":
        for table, names in (
            ("audit_record", ("audit_record_law", "audit_record_no_truncate")),
            ("audit_value", ("audit_value_law", "audit_value_redaction", "audit_value_no_truncate")),
        ):
            for name in names:
                op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute("DROP FUNCTION audit_insert_only()")
        op.execute("DROP FUNCTION audit_redaction_only()")
        return
    for table in ("audit_record", "audit_value"):
        for law in ("no_update", "no_delete", "no_replace"):
            op.execute(f"DROP TRIGGER {table}_{law}")
