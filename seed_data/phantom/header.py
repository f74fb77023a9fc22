"""What every object of a study says: who, where, when, on whose order (PS3.3 C.7 and C.12)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from seed_data.phantom.identities import Patient
from seed_data.phantom.uids import made_uid, number_from

STUDY_COMPONENT_MANAGEMENT = "1.2.840.10008.3.1.2.3.3"


@dataclass(frozen=True)
class Study:
    """One made-up examination: of whom, when, and under which key its UIDs are made.

    ``date`` is a DICOM date; ``minute`` the minutes after midnight when it began.
    """

    patient: Patient
    date: str
    seed: int
    key: str
    description: str
    body_part: str

    def uid(self, role: str) -> str:
        """Give the UID of one thing of this study."""
        return made_uid(self.seed, self.patient, self.key, role)

    @property
    def number(self) -> int:
        """A four-digit number of this study, for accession number and study ID."""
        return 1000 + number_from("study", self.seed, self.patient.patient_id, self.key) % 9000

    @property
    def accession(self) -> str:
        """The accession number; it begins with the patient's own."""
        return f"{self.patient.accession}-{self.number}"

    def time(self, seconds: float = 0) -> str:
        """Give the time of day as DICOM writes it, ``seconds`` after the study began."""
        start = 8 * 3600 + self.number % 480 * 60
        whole = int(start + seconds)
        return f"{whole // 3600:02}{whole // 60 % 60:02}{whole % 60:02}.{int(seconds % 1 * 1e6):06}"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Give an item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def reference(sop_class: str, instance: str) -> Dataset:
    """Give an item that names an instance (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item


def _person_identification(patient: Patient) -> Dataset:
    item = Dataset()
    item.InstitutionName, item.InstitutionAddress = patient.institution, patient.institution_address
    number = str(number_from("person", patient.referring_physician) % 90000 + 10000)
    item.PersonIdentificationCodeSequence = Sequence(
        [code(number, "99HOSPITAL", patient.referring_physician.replace("^", " ").strip())]
    )
    return item


def write_patient(ds: Dataset, study: Study) -> None:
    """Write the patient module and what registration desks add to it (PS3.3 C.2.2, C.2.3, C.7.1.1)."""
    p = study.patient
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = p.name, p.patient_id, p.department
    ds.PatientBirthDate, ds.PatientSex = p.birth_date, p.sex
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = p.other_id, p.institution, "TEXT"
    ds.OtherPatientIDsSequence = Sequence([other])
    ds.PatientBirthName = p.birth_name
    age = int(study.date[:4]) - int(p.birth_date[:4]) - (study.date[4:] < p.birth_date[4:])
    ds.PatientAge = f"{age:03}Y"
    ds.PatientSize, ds.PatientWeight = f"{p.size_m:.2f}", f"{p.weight_kg:.1f}"
    ds.PatientAddress, ds.PatientTelephoneNumbers = p.address, p.phone
    ds.AdditionalPatientHistory = f"{p.spoken_name}, sent by {p.referring_physician.split('^')[0]}: follow-up"
    ds.PatientComments = f"Call {p.phone} before the next appointment"


def write_study(ds: Dataset, study: Study) -> None:
    """Write the study module, with physicians, order and references (PS3.3 C.7.2)."""
    p = study.patient
    ds.StudyInstanceUID, ds.StudyID, ds.AccessionNumber = (
        study.uid("study"),
        str(study.number),
        study.accession,
    )
    ds.StudyDate, ds.StudyTime, ds.StudyDescription = study.date, study.time(), study.description
    ds.ReferringPhysicianName = p.referring_physician
    ds.ReferringPhysicianIdentificationSequence = Sequence([_person_identification(p)])
    ds.PhysiciansOfRecord, ds.NameOfPhysiciansReadingStudy = p.referring_physician, p.performing_physician
    ds.ReferencedStudySequence = Sequence([reference(STUDY_COMPONENT_MANAGEMENT, study.uid("order"))])
    ds.ProcedureCodeSequence = Sequence([code("CTTAPKM", "99HOSPITAL", study.description)])
    ds.InstitutionName, ds.InstitutionAddress = p.institution, p.institution_address
    ds.InstitutionalDepartmentName, ds.StationName = p.department, p.station
    ds.PerformingPhysicianName, ds.OperatorsName = p.performing_physician, p.operator
    ds.RequestingPhysician, ds.RequestedProcedureDescription = p.referring_physician, study.description
    order = Dataset()
    order.RequestedProcedureID, order.ScheduledProcedureStepID = (
        f"RP{study.accession[-7:]}",
        f"SPS{study.number}",
    )
    order.AccessionNumber, order.RequestedProcedureDescription = study.accession, study.description
    order.StudyInstanceUID = study.uid("study")
    order.ReferencedStudySequence = Sequence([reference(STUDY_COMPONENT_MANAGEMENT, study.uid("order"))])
    order.ScheduledProcedureStepDescription = study.description
    order.ScheduledProtocolCodeSequence = Sequence([code("PROT7", "99HOSPITAL", study.description)])
    ds.RequestAttributesSequence = Sequence([order])
    ds.PerformedStationAETitle, ds.PerformedStationName = p.station, p.station
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = study.date, study.time(30)
    ds.PerformedProcedureStepID = f"PPS{study.number}"
    ds.PerformedProcedureStepDescription = study.description
    step = reference("1.2.840.10008.3.1.2.3.3", study.uid("performed step"))
    ds.ReferencedPerformedProcedureStepSequence = Sequence([step])


def write_equipment(ds: Dataset, study: Study, maker: str, model: str, software: str) -> None:
    """Write the equipment module and who else touched the images (PS3.3 C.7.5, C.12)."""
    p = study.patient
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = maker, model, software
    ds.DeviceSerialNumber, ds.DeviceUID = p.device_serial, study.uid("device")
    router = Dataset()
    router.PurposeOfReferenceCodeSequence = Sequence([code("109103", "DCM", "Modifying Equipment")])
    router.Manufacturer, router.StationName, router.InstitutionName = "ROUTEWORKS", p.station, p.institution
    router.ContributionDateTime = f"{study.date}{study.time(900)}"
    router.ContributionDescription = f"Coerced for {p.spoken_name}"
    router.OperatorsName = p.operator
    ds.ContributingEquipmentSequence = Sequence([router])


def write_common(ds: Dataset, study: Study, sop_class: str) -> None:
    """Write what is true of every object of a study: character set, class, patient, order."""
    ds.SpecificCharacterSet = study.patient.charset
    ds.SOPClassUID = sop_class
    ds.InstanceCreationDate = study.date
    ds.InstanceCreatorUID = study.uid("creator")
    write_patient(ds, study)
    write_study(ds, study)


def save(ds: Dataset, path: Path, study: Study) -> Path:
    """Write one Part 10 file as a scanner's export does; gives the path.

    The data set is used as it is, and may be changed and saved again under another name.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID("2.25.7310457"), "PHANTOM_1"
    meta.SourceApplicationEntityTitle = study.patient.station
    out = FileDataset(str(path), ds, file_meta=meta, preamble=b"\0" * 128)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, out, enforce_file_format=True)
    return path


def series_folder(folder: Path, study: Study, series: int) -> Path:
    """Give the folder of a series in the shape of a scanner's export to disc."""
    person = number_from("folder", study.patient.patient_id) % 1000
    return folder / "DICOM" / f"PA{person:06}" / f"ST{study.number:06}" / f"SE{series:06}"
