"""Cleaning by the bytes: the ordinary file, read once, copied where no rule touches it."""
