from __future__ import annotations

from pydicom.charset import python_encoding
from pydicom.uid import UID, AllTransferSyntaxes, MPEGTransferSyntaxes

from trialimg.dicom.standard.syntaxes import CHARACTER_SETS, ENCAPSULATED, TRANSFER_SYNTAXES, VIDEO_SYNTAXES


def test_the_lists_of_encodings_are_those_of_the_parser():
    assert set(map(str, AllTransferSyntaxes)) == TRANSFER_SYNTAXES
    assert {str(uid) for uid in AllTransferSyntaxes if UID(uid).is_encapsulated} == ENCAPSULATED
    assert {*map(str, MPEGTransferSyntaxes), "1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108"} == VIDEO_SYNTAXES
    assert set(python_encoding) == CHARACTER_SETS
