"""What is true in a trial: plain Python, no session, no clock, no network."""
