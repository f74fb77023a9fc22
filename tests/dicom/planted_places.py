"""Where identities hide in DICOM objects: plants a new name in every place, into any data set.

Each place gets an identifier of its own, so that one that stays tells where it stood. ``Ledger.spellings`` gives every
identifier in all encodings in which it might have come through.
"""

from __future__ import annotations

import base64
import struct

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

ENCODINGS = (
    *("utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-5", "gb18030", "euc-kr", "euc-jp", "iso2022_jp_2"),
    *("iso2022_kr", "shift_jis"),
)
PERSONS = {
    "ISO_IR 100": "Müllerstädt^Grete",
    "ISO_IR 144": "Люкceмбypг^Иван",
    "ISO_IR 192": "Łukaszewicz^Żaneta=奥孔乔^阿达=오콘조^아다",
    "GB18030": "Okonkwogb^Wei=欧阳锋^小东",
    "\\ISO 2022 IR 87": "Okonkwojp^Tarou=山田崎^太郎丸=やまださき^たろうまる",
    "\\ISO 2022 IR 149": "Okonkwokr^Gil=洪吉洞^吉洞=홍길동^길동",
}
CODECS = {
    "ISO_IR 100": "latin-1",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "\\ISO 2022 IR 87": "iso2022_jp_2",
    "\\ISO 2022 IR 149": "euc-kr",
}
"""A patient's name by the character set in which it is written, in all component groups that the set can write."""
DATES = ("19510203-19510205", "1951", "195102", "19510203101500.123456+0930", "19510203101500-19510204", "1951.02.03")
"""A birth date as ranges, in parts, with an offset, and in the old form."""
SHAPES = (
    *("+49 170 5550123", "okonkwo@example.org", "MRN-4711-0815", "Okonkwostrasse 12, 79104 Okonkwohausen"),
    *("1951-02-03", "03.02.1951", "3 Feb 1951", "97Y", "OKONKWO, ADAEZE", "Dr. A. Okonkwo", "4711000815"),
)
"""Identities that look like nothing else: telephone, mail, number, address, birth date, age."""


class Ledger:
    """Gives a new name for every place of one object, and remembers what it planted."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.all: list[str] = []

    def __call__(self, place: str, room: int = 64) -> str:
        name = f"Okonkwo{self.kind}{len(self.all):03d}{place}"[:room]
        self.all.append(name)
        return name

    def also(self, *values: str) -> None:
        self.all.extend(values)

    def spellings(self) -> dict[bytes, str]:
        """Give every way to write every planted identifier, in bytes of small letters, with what it spells."""
        found: dict[bytes, str] = {}
        for name in self.all:
            for text in {name, *name.replace("=", "^").split("^")}:
                if len(text) < 2 or (text.isdecimal() and len(text) < 5):
                    continue
                for encoding in ENCODINGS:
                    written = text.encode(encoding, "ignore")
                    if written.decode(encoding, "ignore") == text and len(written) > 3:
                        found[written.lower()] = name
                plain = text.encode()
                found[plain.hex().encode()] = name
                for shift in range(3):
                    coded = base64.b64encode(b"x" * shift + plain)
                    inner = coded[4 if shift else 0 : -4]
                    if len(inner) > 7:
                        found[inner.lower()] = name
        return found


def put(dataset: Dataset, tag: int, vr: str, value: bytes | str) -> None:
    """Write an element of encoded bytes as they are, whatever the standard says of them."""
    data = value.encode() if isinstance(value, str) else value
    data += b"\0" * (len(data) % 2) if vr in {"UI", "OB", "UN", "OW"} else b" " * (len(data) % 2)
    dataset[tag] = RawDataElement(BaseTag(tag), vr, len(data), data, 0, False, True)


def item(*elements: tuple[int, str, bytes | str]) -> Dataset:
    made = Dataset()
    made.set_original_encoding(False, True)
    for tag, vr, value in elements:
        put(made, tag, vr, value)
    return made


def nest(dataset: Dataset, tag: int, *items: Dataset) -> None:
    dataset.add_new(tag, "SQ", Sequence(items))


def code(plant: Ledger, place: str) -> Dataset:
    return item(
        (0x00080100, "SH", plant(f"{place}Value", 16)),
        (0x00080102, "SH", plant(f"{place}Scheme", 16)),
        (0x00080103, "SH", "1.0"),
        (0x00080104, "LO", plant(f"{place}Meaning")),
        (0x00080119, "UC", plant(f"{place}LongValue")),
        (0x00080120, "UR", f"urn:oid:{plant(f'{place}Urn')}"),
        (0x0008010C, "UI", plant(f"{place}SchemeUid")),
    )


def the_patient(dataset: Dataset, plant: Ledger, character_set: str = "ISO_IR 192") -> None:
    """Write who it is, in a character set, with all that PS3.3 C.7.1 and C.2.2 know of a person."""
    put(dataset, 0x00080005, "CS", character_set)
    name = PERSONS[character_set]
    plant.also(name)
    put(dataset, 0x00100010, "PN", name.encode(CODECS[character_set], "replace"))
    for tag, vr, room in (
        *((0x00100020, "LO", 64), (0x00100021, "LO", 64), (0x00101000, "LO", 64), (0x00101001, "PN", 64)),
        *((0x00101005, "PN", 64), (0x00101060, "PN", 64), (0x00101040, "LO", 64), (0x00102154, "SH", 16)),
        *((0x00102155, "LT", 64), (0x00104000, "LT", 64), (0x001021B0, "LT", 64), (0x00102160, "SH", 16)),
        *((0x00102180, "SH", 16), (0x001021F0, "LO", 64), (0x00102297, "PN", 64), (0x00101090, "LO", 64)),
        *((0x00102150, "LO", 64), (0x00102152, "LO", 64), (0x00100052, "LO", 64), (0x00100033, "LO", 64)),
    ):
        put(dataset, tag, vr, plant(f"Pt{tag & 0xFFFF:04X}", room))
    put(dataset, 0x00100030, "DA", "19510203")
    put(dataset, 0x00101010, "AS", "097Y")
    plant.also("19510203", "097Y")


def everywhere(dataset: Dataset, plant: Ledger) -> None:
    """Plant what any object may carry, whatever it is."""
    for tag, vr, room in (
        *((0x00080050, "SH", 16), (0x00080080, "LO", 64), (0x00080081, "ST", 64), (0x00080090, "PN", 64)),
        *((0x00081010, "SH", 16), (0x00081030, "LO", 64), (0x0008103E, "LO", 64), (0x00081040, "LO", 64)),
        *((0x00081048, "PN", 64), (0x00081050, "PN", 64), (0x00081060, "PN", 64), (0x00081070, "PN", 64)),
        *((0x00081190, "UR", 64), (0x00080054, "AE", 16), (0x00080055, "AE", 16), (0x00180010, "LO", 64)),
        *((0x00181000, "LO", 64), (0x00181030, "LO", 64), (0x00204000, "LT", 64), (0x00281055, "LO", 64)),
        *((0x00321032, "PN", 64), (0x00324000, "LT", 64), (0x0040A160, "UT", 64), (0x00400254, "LO", 64)),
        *((0x00400280, "ST", 64), (0x00402001, "LO", 64), (0x0040E001, "ST", 64), (0x00420010, "ST", 64)),
        *((0x00700080, "CS", 16), (0x00700081, "LO", 64), (0x00700084, "PN", 64), (0x00880130, "SH", 16)),
        *((0x00280110, "US", 64), (0x00180015, "CS", 16), (0x00200060, "CS", 16), (0x00200011, "IS", 12)),
        *((0x00180050, "DS", 16), (0x00180060, "DS", 16), (0x00280120, "US", 16), (0x00189073, "FD", 16)),
        *((0x00080024, "DA", 16), (0x00080034, "TM", 16), (0x0008002A, "DT", 26), (0x00083010, "UI", 64)),
    ):
        name = plant(f"Gn{tag >> 16:04X}{tag & 0xFFFF:04X}", room)
        put(dataset, tag, vr, name.upper() if vr == "CS" else name)
    texts = [item((0x00080104, "LO", f"chest of {text}")) for text in SHAPES]
    nest(dataset, 0x0040A043, *texts)
    plant.also(*SHAPES)
    _hidden(dataset, plant)
    _coded(dataset, plant)


def _coded(dataset: Dataset, plant: Ledger) -> None:
    """Plant codes, claims of earlier cleaning, contributing equipment, dates, sequences nobody expects there."""
    nest(dataset, 0x00082218, code(plant, "Region"))
    nest(
        dataset,
        0x0018A001,
        item((0x00080080, "LO", plant("EqInst")), (0x00181020, "LO", "1"), (0x0018A003, "ST", plant("EqWhat"))),
    )
    nest(
        dataset,
        0x00080110,
        item(
            *((0x00080102, "SH", plant("Sch", 16)), (0x00080115, "ST", plant("SchName"))),
            *((0x00080116, "ST", plant("SchOrg")), (0x00080114, "ST", plant("SchExt"))),
            (0x0008010E, "UR", f"https://{plant('SchUrl')}.org"),
        ),
    )
    nest(dataset, 0x00120064, code(plant, "Method"))
    put(dataset, 0x00120062, "CS", "YES")
    put(dataset, 0x00120063, "LO", plant("MethodText"))
    for tag in (0x00120010, 0x00120020, 0x00120030, 0x00120031, 0x00120040, 0x00120042, 0x00120051):
        put(dataset, tag, "LO", plant(f"Tr{tag & 0xFFFF:04X}"))
    plant.also(*(date for date in DATES if len(date) > 6))
    nest(
        dataset,
        0x0040A730,
        *(item((0x0040A040, "CS", "DATETIME"), (0x0040A120, "DT", date)) for date in DATES),
        item((0x0040A040, "CS", "PNAME"), (0x0040A123, "PN", plant("SrPerson"))),
        item((0x0040A040, "CS", "TEXT"), (0x0040A160, "UT", plant("SrText"))),
        item((0x0040A040, "CS", "UIDREF"), (0x0040A124, "UI", "1.2.826.0.1.3680043.9.7.195102030815")),
        item((0x0040A040, "CS", plant("SrType", 16).upper()), (0x0040A30A, "DS", plant("SrNum", 16))),
    )
    plant.also("195102030815")
    vendor = "1.2.840.10008.9.4711.0815"
    plant.also(vendor)
    nest(dataset, 0x00081140, item((0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), (0x00081155, "UI", vendor)))


def _hidden(dataset: Dataset, plant: Ledger) -> None:
    """Plant where readers seldom look: private, unknown, UN, deformed, group lengths, curves, overlays, tails."""
    put(dataset, 0x00080000, "UL", plant("GroupLength").encode())
    put(dataset, 0x00290010, "LO", f"MAKER {plant('Creator')}")
    put(dataset, 0x00291010, "OB", plant("Blob").encode("utf-16-le"))
    put(dataset, 0x00291011, "UN", plant("PrivateUn"))
    nest(dataset, 0x00291012, item((0x00100010, "PN", plant("PrivateName"))))
    put(dataset, 0x00311040, "LO", plant("NoCreator"))
    put(dataset, 0x00089876, "LO", plant("Unknown"))
    put(dataset, 0x00104321, "UN", plant("UnknownUn"))
    put(dataset, 0x00102203, "UN", plant("KnownUn"))
    name = plant("InUnSequence").encode().ljust(40)
    inner = struct.pack("<HHL", 0x0010, 0x0010, len(name)) + name
    put(dataset, 0x00082112, "UN", struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner)
    nest(
        dataset,
        0x04000561,
        item((0x04000564, "LO", plant("Source")), (0x04000563, "LO", plant("System"))),
    )
    nest(dataset, 0x04000500, item((0x04000520, "OB", plant("Encrypted"))))
    nest(dataset, 0x4FFE0001, item((0x04000015, "CS", plant("Mac", 16))))
    nest(dataset, 0xFFFAFFFA, item((0x04000115, "OB", plant("Certificate")), (0x04000120, "OB", plant("Signature"))))
    put(dataset, 0xFFFCFFFC, "OB", plant("Padding"))
    nest(
        dataset,
        0x00880200,
        item((0x00280010, "US", b"\2\0"), (0x7FE00010, "OW", plant("IconPixels")), (0x00104000, "LT", plant("Icon"))),
    )
    nest(dataset, 0x00081115, item((0x7FE00010, "OW", plant("NestedPixels")), (0x00204000, "LT", plant("Nested"))))
    for tag, vr in ((0x50000022, "LO"), (0x50003000, "OW"), (0x60000022, "LO"), (0x60001500, "LO"), (0x60004000, "LT")):
        put(dataset, tag, vr, plant(f"Oc{tag & 0xFFFF:04X}"))
    put(dataset, 0x00282000, "OB", plant("NoProfile"))
    put(dataset, 0x00041500, "CS", plant("FileId", 16))
    plant("Coded")
    put(dataset, 0x00283003, "LO", base64.b64encode(plant.all[-1].encode()))
    plant("Hexed")
    put(dataset, 0x00620006, "ST", plant.all[-1].encode().hex())
