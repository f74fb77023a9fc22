"""What a PDF of ours needs beyond what WeasyPrint writes, to be PDF/A-2a (ISO 19005-2) and PDF/UA-1 (ISO 14289-1).

What runs on every page is no content: it becomes an artifact (14289-1, 7.1). Header cells say what they head (7.5).
A picture is not smoothed by the reader (19005-2, 6.2.8). The metadata claims PDF/UA and says what that claim is
(19005-2, 6.6.2.3.3). It works on the objects of pydyf as they are, just before they are written.
"""

from __future__ import annotations

from typing import Any, Final

_UA: Final = b"""<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><pdfuaid:part>1</pdfuaid:part></rdf:Description>
<rdf:Description rdf:about="" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
 xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"><pdfaExtension:schemas><rdf:Bag>
<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>
<rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Indicates which part of ISO 14289 the document conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
"""
_END: Final = b"</rdf:RDF>"


def finish(document: Any, pdf: Any) -> None:
    """Mend a document that is about to be written; WeasyPrint calls it."""
    del document
    objects = {each.reference: each for each in pdf.objects}
    tree = objects[pdf.catalog["StructTreeRoot"]]
    elements = _elements(tree, objects)
    _head_cells(elements)
    _empty_others(pdf, elements)
    contents = [objects[objects[page]["Contents"]] for page in pdf.page_references]
    mapped = objects[tree["ParentTree"]]["Nums"][1::2]
    for stream, owners in zip(contents, mapped, strict=False):  # after the pages come annotations, of which is none
        _mark_artifacts(stream, owners, elements)
    for each in pdf.objects:
        extra = getattr(each, "extra", {})
        if extra.get("Subtype") == "/Image":
            extra["Interpolate"] = "false"
    metadata = objects[pdf.catalog["Metadata"]]
    metadata.stream = [each.replace(_END, _UA + _END) for each in metadata.stream]


def _elements(tree: Any, objects: dict[bytes, Any]) -> dict[bytes, Any]:
    """Give the elements that the tree of structure reaches; all others are of what runs on every page."""
    found: dict[bytes, Any] = {}
    waiting = list(tree["K"])
    while waiting:
        reference = waiting.pop()
        if isinstance(reference, bytes) and reference not in found:
            element = found[reference] = objects[reference]
            waiting += element.get("K", ())
    return found


def _head_cells(elements: dict[bytes, Any]) -> None:
    for cell in elements.values():
        attributes = cell.get("A")
        if cell.get("S") == "/TH":
            rows = elements[elements[cell["P"]]["P"]]
            attributes["Scope"] = "/Column" if rows["S"] == "/THead" else "/Row"
        elif cell.get("S") == "/TD" and not attributes.get("Headers", ("some",)):
            del attributes["Headers"]


def _empty_others(pdf: Any, elements: dict[bytes, Any]) -> None:
    for each in pdf.objects:
        kind = each.get("Type") if isinstance(each, dict) else ""
        if kind == "/StructElem" and each.reference not in elements:
            each.clear()


def _mark_artifacts(stream: Any, owners: Any, elements: dict[bytes, Any]) -> None:
    """Make marked content without an element an artifact; ``owners`` are a page's elements by number of the mark."""
    parts = stream.stream
    for at, part in enumerate(parts):
        if isinstance(part, dict) and "MCID" in part and owners[part["MCID"]] not in elements:
            owners[part["MCID"]] = "null"
            part.clear()
            part["Type"] = "/Pagination"
            parts[at - 1] = "/Artifact"
