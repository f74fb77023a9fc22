"""What people do to the record: every write, one transaction, one audit path."""
