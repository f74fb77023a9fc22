"""Cleaning by the parser: any file that pydicom reads, and the searches over what came of it."""
