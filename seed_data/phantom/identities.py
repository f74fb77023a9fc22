"""The people whose images these are: none of them exists, and none of their words may leave the vault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patient:
    """One made-up person, with everything a hospital's systems write about them.

    Dates are DICOM dates (YYYYMMDD), size is in metres, weight in kilograms. ``accession`` is the
    beginning of every accession number of this person. ``charset`` is the Specific Character Set
    their hospital writes.
    """

    name: str
    patient_id: str
    birth_date: str
    sex: str
    size_m: float
    weight_kg: float
    address: str
    phone: str
    other_id: str
    birth_name: str
    accession: str
    referring_physician: str
    performing_physician: str
    operator: str
    institution: str
    institution_address: str
    department: str
    station: str
    device_serial: str
    charset: str = "ISO_IR 100"

    @property
    def family_name(self) -> str:
        """The family name as it is spoken."""
        return self.name.split("^")[0]

    @property
    def spoken_name(self) -> str:
        """The name in the order in which people write it into free text."""
        family, given = self.name.split("^")[:2]
        return f"{given} {family}"


@dataclass(frozen=True)
class Hospital:
    """Where people are scanned; its words are as identifying as theirs."""

    institution: str
    address: str
    department: str
    station: str
    device_serial: str
    performing_physician: str
    operator: str
    id_prefix: str
    charset: str = "ISO_IR 100"


_HOSPITALS = (
    Hospital(
        "Klinikum Sankt Quirlin", "Nebelhorngasse 7, 99423 Quirlingen", "Radiologie Haus Zwei",
        "QUIRLCT2", "SN-8842-QK", "Wolkenstein^Hiltrud^^Dr.", "Zapfl^Korbinian", "QK",
    ),
    Hospital(
        "Invermorrow General Infirmary", "1 Gorsehill Row, Invermorrow IV99 7QX", "Dept of Cross-Sectional Imaging",
        "INVMRWCT", "SN-3107-IM", "Thistlewick^Barnaby^^Dr", "Pennyfarrow^Una", "IM",
    ),
    Hospital(
        "Hôpital de la Brumelière", "14 quai des Mouettes Perdues, 29999 Brumelière", "Imagerie du Pavillon Sud",
        "BRUMEL01", "SN-5561-HB", "Aubépinois^Léontine^^Dr", "Tartelin^Gaspard", "HB", "ISO_IR 192",
    ),
)  # fmt: skip

# name · patient's number · birth date · sex · m · kg · street · phone · birth name · referring physician
_ROWS = (
    ("Zwetschkenbaum^Ottokar", "4471903", "19560317", "M", 1.78, 84.0, "Rübezahlweg 12, 99425 Quirlingen",
     "+49 555 0147 221", "Zwetschkenbaum^Ottokar", "Federkiel^Walburga^^Dr."),
    ("Quastenflosser^Adelgunde", "4480266", "19620829", "F", 1.64, 63.5, "Irrlichtallee 3, 99427 Quirlingen",
     "+49 555 0162 908", "Mondschatz^Adelgunde", "Federkiel^Walburga^^Dr."),
    ("Krötenpfuhl^Balduin", "4415518", "19490211", "M", 1.72, 91.0, "Siebenschläferring 88, 99431 Quirlingen",
     "+49 555 0118 473", "Krötenpfuhl^Balduin", "Hasenöhrl^Gundolf^^Dr."),
    ("Silberdistel^Kunigunde", "4492847", "19711104", "F", 1.69, 71.0, "Am Hexentanz 41, 99423 Quirlingen",
     "+49 555 0190 352", "Eulenhorst^Kunigunde", "Hasenöhrl^Gundolf^^Dr."),
    ("Butterworthy^Cornelius", "IM0082143", "19580506", "M", 1.81, 96.5, "27 Curlew Wynd, Invermorrow IV99 2ZB",
     "+44 555 0133 684", "Butterworthy^Cornelius", "Marrowgate^Philippa^^Dr"),
    ("Featherstonhope^Winifred", "IM0091570", "19661223", "F", 1.60, 58.0, "5 Peatcutter Lane, Invermorrow IV99 4QT",
     "+44 555 0175 209", "Larkspindle^Winifred", "Marrowgate^Philippa^^Dr"),
    ("Gullimore^Thaddeus", "IM0076628", "19530719", "M", 1.75, 79.0, "112 Saltmarsh Brae, Invermorrow IV99 1XY",
     "+44 555 0156 771", "Gullimore^Thaddeus", "Oxbriar^Desmond^^Dr"),
    ("Plumtwistle^Henrietta", "IM0088395", "19740130", "F", 1.71, 82.5, "Wrenfold Cottage, Invermorrow IV99 8PP",
     "+44 555 0121 946", "Sorrelby^Henrietta", "Oxbriar^Desmond^^Dr"),
    ("Châtaignolle^Barthélemy", "HB20017734", "19600914", "M", 1.74, 77.0, "3 venelle du Phare Gris, 29999 Brumelière",
     "+33 555 0109 518", "Châtaignolle^Barthélemy", "Grenouillet^Sidonie^^Dr"),
    ("Mirabellec^Éléonore", "HB20023391", "19690602", "F", 1.66, 67.0, "61 rue des Trois Hérons, 29998 Brumelière",
     "+33 555 0187 264", "Papillonet^Éléonore", "Grenouillet^Sidonie^^Dr"),
    ("Fougerasse^Anselme", "HB20008856", "19511128", "M", 1.69, 73.5, "9 impasse du Vent Debout, 29999 Brumelière",
     "+33 555 0143 837", "Fougerasse^Anselme", "Coquelicart^Honoré^^Dr"),
    ("Noisettier-Lune^Apolline", "HB20031102", "19770425", "F", 1.63, 60.0, "22 chemin Creux, 29997 Brumelière",
     "+33 555 0168 493", "Bruyèrard^Apolline", "Coquelicart^Honoré^^Dr"),
    ("Distelfink^Leberecht", "4438071", "19640808", "M", 1.83, 88.0, "Kauzwinkel 19, 99425 Quirlingen",
     "+49 555 0139 660", "Distelfink^Leberecht", "Federkiel^Walburga^^Dr."),
    ("Oatenshaw^Millicent", "IM0095284", "19590317", "F", 1.58, 74.0, "40 Harebell Terrace, Invermorrow IV99 6RD",
     "+44 555 0114 385", "Tansymoor^Millicent", "Marrowgate^Philippa^^Dr"),
)  # fmt: skip
_HOSPITAL_OF_ROW = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 0, 1)


def _person(index: int) -> Patient:
    name, number, born, sex, size, weight, address, phone, birth_name, referring = _ROWS[index]
    place = _HOSPITALS[_HOSPITAL_OF_ROW[index]]
    return Patient(
        name=name, patient_id=number, birth_date=born, sex=sex, size_m=size, weight_kg=weight,
        address=address, phone=phone, other_id=f"KV-{place.id_prefix}-{7_310_457 + 91_193 * index}",
        birth_name=birth_name, accession=f"{place.id_prefix}{60_318_204 + 7_717 * index}",
        referring_physician=referring, performing_physician=place.performing_physician,
        operator=place.operator, institution=place.institution, institution_address=place.address,
        department=place.department, station=place.station, device_serial=place.device_serial,
        charset=place.charset,
    )  # fmt: skip


PATIENT_IDENTITIES: list[Patient] = [_person(index) for index in range(len(_ROWS))]
"""Fourteen people at three hospitals: 0 to 3 and 12 at the first, 4 to 7 and 13 at the second, 8 to 11 at the third."""


def planted_strings(patient: Patient) -> list[str]:
    """Give every string of this person's files that must never appear outside the vault.

    They stand as written (``Family^Given``) and as spoken (``Given Family``); family names alone as
    well, since free text holds those. Search for them without regard to case and in both ISO 8859-1
    and UTF-8. Given names alone are not listed: other people have them too.
    """
    people = (patient.referring_physician, patient.performing_physician, patient.operator, patient.birth_name)
    found = [
        patient.name, patient.family_name, patient.spoken_name, patient.patient_id, patient.other_id,
        patient.birth_date, patient.address, patient.phone, patient.accession, patient.institution,
        patient.institution_address, patient.department, patient.station, patient.device_serial,
        *people, *(person.split("^")[0] for person in people),
    ]  # fmt: skip
    return list(dict.fromkeys(found))
