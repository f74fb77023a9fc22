"""The door for modalities (DICOM)."""
