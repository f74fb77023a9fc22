"""What we remember: the data base, the unit of work, the audit trail and the jobs."""
