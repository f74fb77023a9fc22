"""Measures what the house promises, on this machine, with real processes and a real archive."""
