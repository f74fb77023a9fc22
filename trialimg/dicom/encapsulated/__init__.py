"""Compressed pixel data (PS3.5 A.4), freed of what stands around the pictures and films; no pixel is decoded."""
