"""Checks of a PDF/A-2a and PDF/UA-1 by its own objects, standing in for veraPDF, which no registry we reach has.

``faults`` gives a sentence for everything wrong: catalogue, metadata, output intent, fonts, pictures, marked content,
and the tree of structure. It does not judge glyph widths and the like, which only a validator does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pypdf
from pypdf.generic import IndirectObject, NullObject

PAINTS = {b"Tj", b"TJ", b"'", b'"', b"Do", b"sh", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"S", b"s", b"EI"}
KIDS = {
    "/Table": {"/TR", "/THead", "/TBody", "/TFoot", "/Caption"},
    "/THead": {"/TR"},
    "/TBody": {"/TR"},
    "/TR": {"/TH", "/TD"},
}
"""What may lie directly in what, of tables."""
FORBIDDEN = {"/Encrypt"}
NS = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#",
}


def faults(reader: pypdf.PdfReader) -> list[str]:
    """Give what is wrong with a document; nothing is as it should be."""
    root = reader.trailer["/Root"]
    elements = list(_elements(root["/StructTreeRoot"]))
    return [
        *_catalogue(reader, root),
        *_metadata(reader, root),
        *_resources(reader),
        *_contents(reader, root, elements),
        *_structure(elements),
        *_bookmarks(reader),
    ]


def _catalogue(reader: pypdf.PdfReader, root: Any) -> Iterator[str]:
    if not reader.trailer.get("/ID"):
        yield "no file identifier"
    if FORBIDDEN & set(reader.trailer):
        yield "encrypted"
    if not _true(root.get("/MarkInfo", {}).get("/Marked")):
        yield "not marked"
    if not root.get("/Lang"):
        yield "no language"
    if not _true(root.get("/ViewerPreferences", {}).get("/DisplayDocTitle")):
        yield "the title is not shown"
    for name in ("/OpenAction", "/AA", "/AcroForm", "/OCProperties"):
        if name in root:
            yield f"{name} in the catalogue"
    if "/JavaScript" in root.get("/Names", {}):
        yield "a script"
    intents = root.get("/OutputIntents", [])
    if len(intents) != 1 or intents[0]["/S"] != "/GTS_PDFA1":
        yield "no output intent of PDF/A"
    elif intents[0]["/DestOutputProfile"].get_object().get_data()[36:40] != b"acsp":
        yield "the output intent has no ICC profile"


def _metadata(reader: pypdf.PdfReader, root: Any) -> Iterator[str]:
    text = root["/Metadata"].get_object().get_data()
    tree = ET.fromstring(text[text.index(b"<x:xmpmeta") : text.index(b"</x:xmpmeta>") + 12])
    if len(tree.findall("rdf:RDF", NS)) != 1:
        yield "the metadata is not one RDF"

    def value(name: str) -> str:
        prefix, _, local = name.partition(":")
        key = f"{{{NS[prefix]}}}{local}"
        found = [each.attrib[key] for each in tree.iter() if key in each.attrib]
        found += [each.text or "" for each in tree.iter(key)]
        return found[0] if len(found) == 1 else f"{len(found)} times"

    for name, wanted in (("pdfaid:part", "2"), ("pdfaid:conformance", "A"), ("pdfuaid:part", "1")):
        if value(name) != wanted:
            yield f"{name} is {value(name)}"
    schemas = [each.text for each in tree.iter(f"{{{NS['pdfaSchema']}}}namespaceURI")]
    if NS["pdfuaid"] not in schemas:
        yield "the claim of PDF/UA is not described"
    titles = [each.text for each in tree.findall(".//dc:title/rdf:Alt/rdf:li", NS)]
    if titles != [reader.metadata.title if reader.metadata else None] or not titles[0]:
        yield "the titles differ"


def _resources(reader: pypdf.PdfReader) -> Iterator[str]:
    fonts, pictures = {}, {}
    for page in reader.pages:
        for name, font in page["/Resources"].get("/Font", {}).items():
            fonts[name] = font.get_object()
        for name, thing in page["/Resources"].get("/XObject", {}).items():
            pictures[name] = thing.get_object()
    for name, font in fonts.items():
        below = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        descriptor = below["/FontDescriptor"].get_object()
        if not {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor):
            yield f"the font {name} is not embedded"
        if "/ToUnicode" not in font:
            yield f"the font {name} does not say its letters"
        if below["/Subtype"] == "/CIDFontType2" and below.get("/CIDToGIDMap") != "/Identity":
            yield f"the font {name} has no map of its letters"
    for name, picture in pictures.items():
        if _true(picture.get("/Interpolate")):
            yield f"the picture {name} is smoothed"
        if "/Alternates" in picture or "/OPI" in picture:
            yield f"the picture {name} has others"


def _contents(reader: pypdf.PdfReader, root: Any, elements: list[tuple[Any, Any]]) -> Iterator[str]:
    """Check that all that is painted is an artifact or belongs to an element of the tree, and to one only."""
    numbers = root["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    owners = dict(zip(numbers[::2], numbers[1::2], strict=True))
    inside = {reference.idnum for reference, _ in elements if isinstance(reference, IndirectObject)}
    for at, page in enumerate(reader.pages, 1):
        if page.get("/Tabs") != "/S":
            yield f"page {at}: its order is not that of the structure"
        mine = owners[page["/StructParents"]]
        open_: list[tuple[str, int | None]] = []
        for operands, operator in page.get_contents().operations:
            if operator in (b"BMC", b"BDC"):
                kind = "artifact" if operands[0] == "/Artifact" else "content"
                mark = operands[1].get("/MCID") if len(operands) > 1 else None
                if {kind, *(each for each, _ in open_)} == {"artifact", "content"}:
                    yield f"page {at}: an artifact and content in each other"
                open_.append((kind, mark))
                if kind == "content" and (
                    mark is None or isinstance(mine[mark], NullObject) or _raw(mine, mark).idnum not in inside
                ):
                    yield f"page {at}: content {mark} belongs to no element of the tree"
            elif operator == b"EMC":
                open_.pop()
            elif operator in PAINTS and not open_:
                yield f"page {at}: {operator.decode()} paints what is neither content nor artifact"


def _true(value: Any) -> bool:
    return getattr(value, "value", False) is True  # a false one of pypdf is an object, and so would count as true


def _raw(array: Any, at: int) -> Any:
    return list.__getitem__(array, at)


def _elements(element: Any) -> Iterator[tuple[Any, Any]]:
    """Walk the tree in reading order: reference and element."""
    kids = element.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        found = kid.get_object()
        if isinstance(found, dict) and "/S" in found:
            yield kid, found
            yield from _elements(found)


def _structure(elements: list[tuple[Any, Any]]) -> Iterator[str]:
    level = 0
    for _, each in elements:
        kind = each["/S"]
        if kind == "/Figure" and not (each.get("/Alt") or "").strip():
            yield "a figure without words"
        if kind[:2] == "/H" and kind[2:].isdigit():
            if int(kind[2:]) > level + 1:
                yield f"a heading {kind[1:]} under level {level}"
            level = int(kind[2:])
        if kind in KIDS:
            kids = {kid.get_object()["/S"] for kid in each["/K"]}
            if kids - KIDS[kind]:
                yield f"{sorted(kids - KIDS[kind])} in {kind}"
        if kind == "/TH" and each.get("/A", {}).get("/Scope") not in ("/Row", "/Column"):
            yield "a header cell that does not say what it heads"
        if kind == "/TD" and not each.get("/A", {}).get("/Headers"):
            yield "a cell under no header"
    if level == 0:
        yield "no heading"


def _bookmarks(reader: pypdf.PdfReader) -> Iterator[str]:
    if not reader.outline:
        yield "no bookmark"
