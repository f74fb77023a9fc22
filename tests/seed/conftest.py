from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES, Patient
from seed_data.phantom.lesions import Lesion
from seed_data.phantom.mr import write_mr

LESIONS = (
    Lesion("lung", 22),
    Lesion("liver", 30),
    Lesion("node", 17),
    Lesion("adrenal", 20),
    Lesion("liver", 16),
)


@dataclass(frozen=True)
class Written:
    """A study on disc, read back."""

    patient: Patient
    lesions: tuple[Lesion, ...]
    paths: list[Path]

    def objects(self, modality: str) -> list[FileDataset]:
        return [ds for ds in map(pydicom.dcmread, self.paths) if ds.Modality == modality]

    def axial(self) -> list[FileDataset]:
        found = [ds for ds in self.objects("CT") if "AXIAL" in ds.ImageType]
        return sorted(found, key=lambda ds: int(ds.InstanceNumber))

    def volume(self) -> NDArray[np.float32]:
        return np.stack([ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in self.axial()])


@pytest.fixture(scope="session")
def short_ct(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """24 slices around the diaphragm, with a dose page and contours."""
    patient = PATIENT_IDENTITIES[0]
    paths = write_ct(
        tmp_path_factory.mktemp("ct"), patient, study_date="20260302", lesions=LESIONS, slices=24,
        study_key="screening", dose_report=True, rtstruct=True,
    )  # fmt: skip
    return Written(patient, LESIONS, paths)


@pytest.fixture(scope="session")
def head_mr(tmp_path_factory: pytest.TempPathFactory) -> Written:
    patient = PATIENT_IDENTITIES[9]
    paths = write_mr(
        tmp_path_factory.mktemp("mr"), patient, study_date="20260310", lesions=(18, 9), study_key="screening"
    )
    return Written(patient, (), paths)
