"""Every table of the first house.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('account',
    sa.Column('email', sa.String(length=200), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('password', sa.String(length=255), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('fs_uniquifier', sa.String(length=64), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('locked_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('email', name=op.f('uq_account_email')),
    sa.UniqueConstraint('fs_uniquifier', name=op.f('uq_account_fs_uniquifier'))
    )
    op.create_table('audit_chain',
    sa.Column('chain', sa.String(length=32), nullable=False),
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('chain', name=op.f('pk_audit_chain'))
    )
    op.create_table('audit_record',
    sa.Column('chain', sa.String(length=32), nullable=False),
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('action', sa.String(length=20), nullable=False),
    sa.Column('table_name', sa.String(length=60), nullable=False),
    sa.Column('row_id', sa.String(length=80), nullable=False),
    sa.Column('column_name', sa.String(length=60), nullable=False),
    sa.Column('old', sa.String(length=64), nullable=False),
    sa.Column('new', sa.String(length=64), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_record')),
    sa.UniqueConstraint('chain', 'number', name=op.f('uq_audit_record_chain_number')),
    sa.UniqueConstraint('hash', name=op.f('uq_audit_record_hash')),
    sqlite_with_rowid=False
    )
    op.create_index(op.f('ix_audit_record_actor'), 'audit_record', ['actor'], unique=False)
    op.create_index(op.f('ix_audit_record_row_id'), 'audit_record', ['row_id'], unique=False)
    op.create_table('audit_value',
    sa.Column('record_id', sa.String(length=32), nullable=False),
    sa.Column('salt', sa.String(length=32), nullable=False),
    sa.Column('old', sa.Text(), nullable=True),
    sa.Column('new', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('record_id', name=op.f('pk_audit_value')),
    sqlite_with_rowid=False
    )
    op.create_table('destination',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('paused_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('sentence', sa.Text(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_destination')),
    sa.UniqueConstraint('name', name=op.f('uq_destination_name'))
    )
    op.create_table('library_role',
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('description', sa.String(length=255), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_library_role')),
    sa.UniqueConstraint('name', name=op.f('uq_library_role_name'))
    )
    op.create_table('trial',
    sa.Column('code', sa.String(length=20), nullable=False),
    sa.Column('title', sa.String(length=300), nullable=False),
    sa.Column('definition_id', sa.String(length=32), nullable=True),
    sa.Column('key_version', sa.Integer(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trial')),
    sa.UniqueConstraint('code', name=op.f('uq_trial_code'))
    )
    op.create_table('access_token',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('account_id', sa.String(length=32), nullable=False),
    sa.Column('label', sa.String(length=120), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_access_token_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_access_token')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_access_token_token_hash'))
    )
    op.create_index(op.f('ix_access_token_account_id'), 'access_token', ['account_id'], unique=False)
    op.create_table('account_session',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('account_id', sa.String(length=32), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_why', sa.String(length=40), nullable=False),
    sa.Column('agent', sa.String(length=120), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_account_session_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_session')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_account_session_token_hash'))
    )
    op.create_index(op.f('ix_account_session_account_id'), 'account_session', ['account_id'], unique=False)
    op.create_table('site',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('code', sa.String(length=20), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_site_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_site')),
    sa.UniqueConstraint('trial_id', 'code', name=op.f('uq_site_trial_id_code'))
    )
    op.create_table('task',
    sa.Column('trial_id', sa.String(length=32), nullable=True),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('about', sa.String(length=80), nullable=False),
    sa.Column('sentence', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_task_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_task'))
    )
    op.create_table('trial_definition',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('version', sa.String(length=20), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('loaded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_trial_definition_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_trial_definition')),
    sa.UniqueConstraint('trial_id', 'version', name=op.f('uq_trial_definition_trial_id_version'))
    )
    op.create_table('account_grant',
    sa.Column('account_id', sa.String(length=32), nullable=False),
    sa.Column('role', sa.String(length=40), nullable=False),
    sa.Column('trial_id', sa.String(length=32), nullable=True),
    sa.Column('site_id', sa.String(length=32), nullable=True),
    sa.Column('given_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('given_by', sa.String(length=200), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_account_grant_account_id')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_account_grant_site_id')),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_account_grant_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_grant'))
    )
    op.create_index(op.f('ix_account_grant_account_id'), 'account_grant', ['account_id'], unique=False)
    op.create_table('subject',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('site_id', sa.String(length=32), nullable=False),
    sa.Column('enrolment_site', sa.String(length=20), nullable=False),
    sa.Column('key_version', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=64), nullable=False),
    sa.Column('birth_year', sa.Integer(), nullable=True),
    sa.Column('sex', sa.String(length=1), nullable=True),
    sa.Column('enrolled_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('definition_id', sa.String(length=32), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['definition_id'], ['trial_definition.id'], name=op.f('fk_subject_definition_id')),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_subject_site_id')),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_subject_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subject')),
    sa.UniqueConstraint('trial_id', 'number', name=op.f('uq_subject_trial_id_number'))
    )
    op.create_index(op.f('ix_subject_site_id'), 'subject', ['site_id'], unique=False)
    op.create_table('visit',
    sa.Column('subject_id', sa.String(length=32), nullable=False),
    sa.Column('key', sa.String(length=20), nullable=False),
    sa.Column('definition_key', sa.String(length=20), nullable=False),
    sa.Column('repeat', sa.Integer(), nullable=False),
    sa.Column('ordinal', sa.Integer(), nullable=False),
    sa.Column('date', sa.Date(), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('not_done_reason', sa.Text(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_visit_subject_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_visit')),
    sa.UniqueConstraint('subject_id', 'key', name=op.f('uq_visit_subject_id_key'))
    )
    op.create_table('form_record',
    sa.Column('visit_id', sa.String(length=32), nullable=False),
    sa.Column('form_key', sa.String(length=20), nullable=False),
    sa.Column('form_version', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('marked_complete', sa.Boolean(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('saved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('saved_by', sa.String(length=200), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_form_record_visit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_form_record')),
    sa.UniqueConstraint('visit_id', 'form_key', name=op.f('uq_form_record_visit_id_form_key'))
    )
    op.create_index('ix_form_record_state', 'form_record', ['visit_id', 'state', 'form_key'], unique=False)
    op.create_table('slot',
    sa.Column('visit_id', sa.String(length=32), nullable=False),
    sa.Column('key', sa.String(length=20), nullable=False),
    sa.Column('not_done_reason', sa.Text(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['visit_id'], ['visit.id'], name=op.f('fk_slot_visit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_slot')),
    sa.UniqueConstraint('visit_id', 'key', name=op.f('uq_slot_visit_id_key'))
    )
    op.create_table('check_finding',
    sa.Column('form_record_id', sa.String(length=32), nullable=False),
    sa.Column('check_key', sa.String(length=60), nullable=False),
    sa.Column('group_key', sa.String(length=40), nullable=False),
    sa.Column('repeat_key', sa.String(length=32), nullable=False),
    sa.Column('item_key', sa.String(length=40), nullable=False),
    sa.Column('severity', sa.String(length=10), nullable=False),
    sa.Column('sentence', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['form_record_id'], ['form_record.id'], name=op.f('fk_check_finding_form_record_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_check_finding')),
    sa.UniqueConstraint('form_record_id', 'check_key', 'group_key', 'repeat_key', 'item_key', name=op.f('uq_check_finding_form_record_id_check_key_group_key_repeat_key_item_key'))
    )
    op.create_table('imaging_study',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('subject_id', sa.String(length=32), nullable=False),
    sa.Column('slot_id', sa.String(length=32), nullable=True),
    sa.Column('study_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('modalities', sa.String(length=80), nullable=False),
    sa.Column('acquired', sa.Date(), nullable=True),
    sa.Column('series_count', sa.Integer(), nullable=False),
    sa.Column('instance_count', sa.Integer(), nullable=False),
    sa.Column('held_count', sa.Integer(), nullable=False),
    sa.Column('linked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('linked_by', sa.String(length=200), nullable=False),
    sa.Column('state_reason', sa.Text(), nullable=False),
    sa.Column('forget_state', sa.String(length=12), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['slot_id'], ['slot.id'], name=op.f('fk_imaging_study_slot_id')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_imaging_study_subject_id')),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_imaging_study_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_imaging_study')),
    sa.UniqueConstraint('study_instance_uid', name=op.f('uq_imaging_study_study_instance_uid'))
    )
    op.create_index(op.f('ix_imaging_study_slot_id'), 'imaging_study', ['slot_id'], unique=False)
    op.create_index(op.f('ix_imaging_study_subject_id'), 'imaging_study', ['subject_id'], unique=False)
    op.create_index(op.f('ix_imaging_study_trial_id'), 'imaging_study', ['trial_id'], unique=False)
    op.create_table('item_value',
    sa.Column('form_record_id', sa.String(length=32), nullable=False),
    sa.Column('group_key', sa.String(length=40), nullable=False),
    sa.Column('repeat_key', sa.String(length=32), nullable=False),
    sa.Column('row_number', sa.Integer(), nullable=False),
    sa.Column('item_key', sa.String(length=40), nullable=False),
    sa.Column('value', sa.Text(), nullable=False),
    sa.Column('unit', sa.String(length=40), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['form_record_id'], ['form_record.id'], name=op.f('fk_item_value_form_record_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_item_value')),
    sa.UniqueConstraint('form_record_id', 'group_key', 'repeat_key', 'item_key', name=op.f('uq_item_value_form_record_id_group_key_repeat_key_item_key'))
    )
    op.create_table('submission',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('site_id', sa.String(length=32), nullable=False),
    sa.Column('subject_id', sa.String(length=32), nullable=False),
    sa.Column('slot_id', sa.String(length=32), nullable=False),
    sa.Column('study_id', sa.String(length=32), nullable=True),
    sa.Column('stage', sa.String(length=20), nullable=False),
    sa.Column('held_from', sa.String(length=20), nullable=False),
    sa.Column('source', sa.String(length=20), nullable=False),
    sa.Column('cleaned_at_source', sa.Boolean(), nullable=False),
    sa.Column('acquired', sa.Date(), nullable=True),
    sa.Column('announced', sa.Integer(), nullable=False),
    sa.Column('sentence', sa.Text(), nullable=False),
    sa.Column('error_code', sa.String(length=40), nullable=False),
    sa.Column('report', sa.Text(), nullable=False),
    sa.Column('sender_report', sa.Text(), nullable=False),
    sa.Column('timings', sa.Text(), nullable=False),
    sa.Column('originals_destroyed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('confirmed_by', sa.String(length=200), nullable=False),
    sa.Column('stage_since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['site_id'], ['site.id'], name=op.f('fk_submission_site_id')),
    sa.ForeignKeyConstraint(['slot_id'], ['slot.id'], name=op.f('fk_submission_slot_id')),
    sa.ForeignKeyConstraint(['study_id'], ['imaging_study.id'], name=op.f('fk_submission_study_id')),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_submission_subject_id')),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_submission_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_submission'))
    )
    op.create_index(op.f('ix_submission_slot_id'), 'submission', ['slot_id'], unique=False)
    op.create_index(op.f('ix_submission_stage'), 'submission', ['stage'], unique=False)
    op.create_index(op.f('ix_submission_study_id'), 'submission', ['study_id'], unique=False)
    op.create_index(op.f('ix_submission_subject_id'), 'submission', ['subject_id'], unique=False)
    op.create_index(op.f('ix_submission_trial_id'), 'submission', ['trial_id'], unique=False)
    op.create_table('job',
    sa.Column('step', sa.String(length=20), nullable=False),
    sa.Column('queue', sa.String(length=20), nullable=False),
    sa.Column('trial_id', sa.String(length=32), nullable=True),
    sa.Column('submission_id', sa.String(length=32), nullable=True),
    sa.Column('study_id', sa.String(length=32), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('due', sa.DateTime(timezone=True), nullable=False),
    sa.Column('heard_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('progress_done', sa.Integer(), nullable=False),
    sa.Column('progress_total', sa.Integer(), nullable=False),
    sa.Column('sentence', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=200), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['study_id'], ['imaging_study.id'], name=op.f('fk_job_study_id')),
    sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_job_submission_id')),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_job_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job'))
    )
    op.create_index('ix_job_state_due', 'job', ['state', 'due'], unique=False)
    op.create_index(op.f('ix_job_submission_id'), 'job', ['submission_id'], unique=False)
    op.create_table('study_fingerprint',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('study_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('subject_id', sa.String(length=32), nullable=False),
    sa.Column('submission_id', sa.String(length=32), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['subject_id'], ['subject.id'], name=op.f('fk_study_fingerprint_subject_id')),
    sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_study_fingerprint_submission_id')),
    sa.ForeignKeyConstraint(['trial_id'], ['trial.id'], name=op.f('fk_study_fingerprint_trial_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_study_fingerprint')),
    sa.UniqueConstraint('submission_id', 'fingerprint', name=op.f('uq_study_fingerprint_submission_id_fingerprint'))
    )
    op.create_index(op.f('ix_study_fingerprint_fingerprint'), 'study_fingerprint', ['fingerprint'], unique=False)
    op.create_table('submission_object',
    sa.Column('submission_id', sa.String(length=32), nullable=False),
    sa.Column('ordinal', sa.Integer(), nullable=False),
    sa.Column('received_sha256', sa.String(length=64), nullable=False),
    sa.Column('received_size', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('fate', sa.String(length=12), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('sentence', sa.Text(), nullable=False),
    sa.Column('study_id', sa.String(length=32), nullable=True),
    sa.Column('sop_class_uid', sa.String(length=64), nullable=False),
    sa.Column('study_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('series_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('sop_instance_uid', sa.String(length=64), nullable=False),
    sa.Column('modality', sa.String(length=16), nullable=False),
    sa.Column('clean_sha256', sa.String(length=64), nullable=False),
    sa.Column('clean_size', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('canonical_hash', sa.String(length=64), nullable=False),
    sa.Column('decided_by', sa.String(length=200), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['study_id'], ['imaging_study.id'], name=op.f('fk_submission_object_study_id')),
    sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_submission_object_submission_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_submission_object')),
    sa.UniqueConstraint('submission_id', 'ordinal', name=op.f('uq_submission_object_submission_id_ordinal'))
    )
    op.create_index('ix_submission_object_study', 'submission_object', ['study_id', 'sop_instance_uid'], unique=False)
    op.create_table('pixel_review',
    sa.Column('submission_id', sa.String(length=32), nullable=False),
    sa.Column('object_id', sa.String(length=32), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('frames', sa.Integer(), nullable=False),
    sa.Column('rows', sa.Integer(), nullable=False),
    sa.Column('columns', sa.Integer(), nullable=False),
    sa.Column('device', sa.String(length=80), nullable=False),
    sa.Column('found', sa.Text(), nullable=False),
    sa.Column('looked_at', sa.Text(), nullable=False),
    sa.Column('decision', sa.String(length=10), nullable=False),
    sa.Column('mask', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('decided_by', sa.String(length=200), nullable=False),
    sa.Column('decided_as', sa.String(length=40), nullable=False),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['object_id'], ['submission_object.id'], name=op.f('fk_pixel_review_object_id')),
    sa.ForeignKeyConstraint(['submission_id'], ['submission.id'], name=op.f('fk_pixel_review_submission_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pixel_review')),
    sa.UniqueConstraint('object_id', name=op.f('uq_pixel_review_object_id'))
    )
    op.create_index(op.f('ix_pixel_review_submission_id'), 'pixel_review', ['submission_id'], unique=False)


def downgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT count(*) FROM audit_record")).scalar():
        raise RuntimeError("The audit trail is not empty; a downgrade would drop it. Nothing was changed.")
    op.drop_index(op.f('ix_pixel_review_submission_id'), table_name='pixel_review')
    op.drop_table('pixel_review')
    op.drop_index('ix_submission_object_study', table_name='submission_object')
    op.drop_table('submission_object')
    op.drop_index(op.f('ix_study_fingerprint_fingerprint'), table_name='study_fingerprint')
    op.drop_table('study_fingerprint')
    op.drop_index(op.f('ix_job_submission_id'), table_name='job')
    op.drop_index('ix_job_state_due', table_name='job')
    op.drop_table('job')
    op.drop_index(op.f('ix_submission_trial_id'), table_name='submission')
    op.drop_index(op.f('ix_submission_subject_id'), table_name='submission')
    op.drop_index(op.f('ix_submission_study_id'), table_name='submission')
    op.drop_index(op.f('ix_submission_stage'), table_name='submission')
    op.drop_index(op.f('ix_submission_slot_id'), table_name='submission')
    op.drop_table('submission')
    op.drop_table('item_value')
    op.drop_index(op.f('ix_imaging_study_trial_id'), table_name='imaging_study')
    op.drop_index(op.f('ix_imaging_study_subject_id'), table_name='imaging_study')
    op.drop_index(op.f('ix_imaging_study_slot_id'), table_name='imaging_study')
    op.drop_table('imaging_study')
    op.drop_table('check_finding')
    op.drop_table('slot')
    op.drop_table('form_record')
    op.drop_table('visit')
    op.drop_index(op.f('ix_subject_site_id'), table_name='subject')
    op.drop_table('subject')
    op.drop_index(op.f('ix_account_grant_account_id'), table_name='account_grant')
    op.drop_table('account_grant')
    op.drop_table('trial_definition')
    op.drop_table('task')
    op.drop_table('site')
    op.drop_index(op.f('ix_account_session_account_id'), table_name='account_session')
    op.drop_table('account_session')
    op.drop_index(op.f('ix_access_token_account_id'), table_name='access_token')
    op.drop_table('access_token')
    op.drop_table('trial')
    op.drop_table('library_role')
    op.drop_table('destination')
    op.drop_table('audit_value')
    op.drop_index(op.f('ix_audit_record_row_id'), table_name='audit_record')
    op.drop_index(op.f('ix_audit_record_actor'), table_name='audit_record')
    op.drop_table('audit_record')
    op.drop_table('audit_chain')
    op.drop_table('account')
