"""The sentences of the conformance statement; what can be counted or listed is put in by ``statement``."""

from __future__ import annotations

from typing import Final

HEAD: Final = """\
# De-identification: what is done, attribute by attribute

Printed by `python tools/make_docs.py` from the data of the engine; a test compares it with the program. How values are
judged and searched is told in [residue.md](residue.md), how a trial chooses in [forms.md](forms.md).

This is the statement that PS3.15 Annex E asks of a de-identifier. The engine (`trialimg/domain/`, `trialimg/dicom/`)
is the same on the server, at a site's computer and in the browser.

- Standard: {edition}. Beside it the data dictionary and the registered UIDs of PS3.6, and the Types of attributes from
  PS3.3.
- Always applied: the Basic Application Level Confidentiality Profile (113100).
- Closed by default: an attribute, a class or a private element that nobody knows does not pass.

## The order of decisions

The first that says something counts.

1. What is never carried on: file meta information, group lengths, preamble, overlays, curves, signatures, encrypted and
   former attributes, icons, everything behind the pixel data.
2. Private and unknown attributes go, but for private ones that a rule or the list of safe ones keeps.
3. Who the subject is: name and number become the subject's number in the trial; another trial's words go.
4. The trial's own rules; one for a class of objects before one for all.
5. The trial's options.
6. The row of table E.1-1.
7. For public attributes without a row: what the attribute is for stays, anything else goes.

An item whose coded name (Concept Name Code Sequence) says that it tells the birth date, name, number, sex, age, size,
weight, ethnic group, smoking or pregnancy of the subject is treated as the attribute that tells it: where that does not
stay, Measured Value Sequence is emptied and any other value becomes a dummy ([residue.md](residue.md)).

Where an action would leave less than the class of the object demands, the attribute's Type at its place decides: Type 1
gets a dummy, Type 2 is emptied, a UID is replaced. A sequence that must stay is cleaned inside.
`trialimg deidentify --explain` tells for each attribute which of these it was. The report of a study tells every
attribute that the table or a rule names: what went, what was changed, and as kept (K) what an option, a rule or the
trial lets stay as it was. A public attribute that neither names has a line only where it was changed.

## Options
"""

OPTIONS_SAID: Final = {
    "retain_safe_private": (
        "private attributes known to be safe stay with their creators; numbers and terms of the form they have, of "
        "texts the words that name nobody"
    ),
    "retain_uids": "every UID stays, listed or not, so that references lead somewhere; what is no UID is replaced",
    "retain_device_identity": "names, numbers and UIDs of machines stay; titles in the network (AE) and dates do not",
    "retain_institution_identity": "institution, department and address stay; the site is told as the trial names it",
    "retain_patient_characteristics": (
        "sex, size, weight and the rest of the column stay; ages above 89 years are told as 89; of texts the words "
        "that name nobody"
    ),
    "clean_descriptors": (
        "of descriptions, comments and labels the words that name nobody stay, and the trial's own words; names, "
        "dates, ages, numbers and whatever is unknown go"
    ),
    "clean_structured_content": (
        "codes and numbers of reports stay, and of text values the words that name nobody. Without the option the "
        "tree stays too, and its texts are replaced; the code is then given where there was a tree"
    ),
    "clean_graphics": (
        "coordinates of annotations stay, and of their texts the words that name nobody. Overlays and curves go: "
        "nothing reads what is drawn in them"
    ),
    "dates: kept": "dates and times stay where they are such; the birth date always goes, from reports too",
    "dates: shifted": "dates move by 1 to 365 days, the subject's own number; times of day and offsets stay",
    "keep: […]": (
        "sex, age (up to 89), size, weight: each by itself, the rest of the column goes; the code warns that some of a "
        "patient's characteristics stay, the report says which; structured reports tell of them what the header may"
    ),
    "mask": (
        "named where boxes were laid over pixels, and where a person looked and nothing had to be covered: on the page "
        "for held pixels, by `--pixels reviewed`, or by `reviewed=True`; the report tells whose decision it was"
    ),
    "faces": "nothing here makes a face unrecognisable; a trial may hold head CT and MR with thin slices",
}

RULES: Final = """
A code says by which rules an instance was cleaned (PS3.15 E.3), not that each found something to do; so an instance
without private attributes names 113111 where the trial retains safe ones. 113101 and, without its option, 113104 are
named only where they were applied to the instance. An earlier claim in the file is not kept.

## UIDs, dates and keys

- The trial's key makes a site's key, and that the subject's (HMAC-SHA-256). A UID becomes `2.25.` and a UUID of version
  8 made of the subject's key and the old UID: the same again for the same subject, another for any other, and nobody
  without the key can compute or reverse it. References to what was cleaned elsewhere or earlier still resolve.
- Mapped **by value** is every UID but those registered in PS3.6 and the values of attributes that name a class, a
  transfer syntax, a coding scheme, a context or a template. A vendor's UID under 1.2.840.10008 is mapped.
- Dates are shifted by a number of days that is the subject's own; intervals stay. A date that is none, or only in part
  known, is emptied, and so is one that programs write for an unknown one (1900, 1901, 9999, the first of 1970): moved
  it would tell by how many days. Longitudinal Temporal Information Modified (0028,0303) says which it was.
- Study ID is a new one, unique to the study.

## What the cleaning writes

Patient ID and name (the subject's number), Clinical Trial Subject and Study modules, Patient Identity Removed (YES),
De-identification Method and its code sequence, Longitudinal Temporal Information Modified, and new file meta
information. Burned In Annotation becomes NO where a person decided on held pixels, with boxes or without: on the page,
or by `--pixels reviewed` or `reviewed=True`, which are somebody's word for all that was held; the report tells whose.
What the command sends is marked by the server, when somebody there has decided too. A NO that came with the file, here
and in Recognizable Visual Features, is a claim that nobody here has looked into, so it is emptied; it stays only where
PS3.3 demands a value, and in computed radiographs and angiography, which it lets pass. A YES stays. What may show a
face is told in the report.

## Attributes without a row

A text keeps the words that name nobody; a term or a number stays if it is one, an address (UR) or a title in the
network (AE) never ([residue.md](residue.md)). UIDs are treated as told above, persons, dates and times as those with a
row. Sequences are kept and each item is cleaned.
"""

PRIVATE: Final = """
## Private attributes

All go, unless the trial has a rule for one or retains the safe ones. They are matched by the text of the private
creator, never by the number of the block; one whose block nobody reserves goes; another VR than the list has is another
attribute. What is kept by a rule stays as it is, but for UIDs (mapped), dates (as the trial treats dates), ages (up to
89) and sequences (cleaned inside, closed by default); all of it is searched for what names the patient. A claim of the
file that a block is safe (Private Data Element Characteristics Sequence) is not believed and not carried on.
"""

AFTER_CLASSES: Final = """
## What is held

Besides these classes: films; what says that text is burned in; screens, scans of paper, dose reports; regions of an
ultrasound; pixel data with bytes that no pixel explains, or frames that are none; where something that named the
patient is found after cleaning. A person of the site looks and decides. What cannot be read is refused with a sentence.

Screens, scans of paper and dose reports are told by words in Image Type (dose, protocol, report, screen, save, capture,
volume rendering and others), by Conversion Type, by Series Description or Protocol Name (also in German, French and
Spanish), by a Modality that is another than the class has, by colour, and by devices that public lists name, with size,
software and window as there (`trialimg/dicom/data/captures.json`). A CT image is taken for one if it is SECONDARY and
does not say what was computed. A picture of a screen that says nothing of all this is not told from a slice.

A whole-slide image goes on by rule where it says that it shows the tissue and no label (PS3.3 C.8.12.4): Image Type has
its four values, the third VOLUME or THUMBNAIL, the fourth NONE or RESAMPLED; Specimen Label in Image is NO; Burned In
Annotation is NO. A label, an overview, another value, one too many or one that is missing: held. Angiography,
ophthalmic images and computed radiographs go on where Burned In Annotation is NO. What an item of a sequence says
counts only where it says YES.

Localizers are held unless the trial writes `hold_localizers: false`: scanners of CT are known that write name and birth
date into them. A localizer is told by Image Type, of CT also by Series Description or Protocol Name. One of MR that is
ORIGINAL and PRIMARY is not held: it is a slice as all others of its study, no console draws it, most do not say that
they are one, and none that we have seen shows text.

The pixels of all other images are not looked at: images of their kind usually show no text. Every report counts the
images whose pixels nobody looked at, as `unseen`.

## Where this differs from the table, and why
"""

TABLE_HEAD: Final = """
## Table E.1-1, row by row

**table** is the standard's Basic Profile. **here** is what is done without options where the attribute is optional, of
Type 2 and of Type 1, equal letters told once. The column of an option has a letter where an optional attribute is
treated otherwise under it. K kept, X removed, Z emptied, D dummy, U another UID, C cleaned (known words, items of a
sequence, shifted date, age up to 89).
"""
