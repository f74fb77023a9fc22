"""Ultrasound-like pictures with text burned in, of which every box is known; and the DICOM files they are put into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

from trialimg.domain.mask import Box

WORDS = (
    "OKONKWO^ADAEZE", "MRN 48213377", "1956-03-14", "Dr. Keller", "ST. MARY HOSPITAL", "12/03/2021 14:22:07",
    "ID: A-77120", "SMITH, JOHN", "M 067Y", "Acc 991-2231", "Ward 4B", "Tel 555 0134",
)  # fmt: skip
COLOURS = ((255, 255, 255), (180, 180, 180), (120, 120, 120), (255, 220, 0), (0, 255, 160), (90, 90, 90), (70, 130, 255))
SIZES = ((640, 480), (800, 600), (1024, 768))


@dataclass(frozen=True)
class Text:
    """A text that stands in a picture."""

    box: Box
    points: int
    colour: tuple[int, int, int]
    words: str
    contrast: int
    """How far its brightest channel is from what is around it."""


def ground(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """A sector of speckle on black."""
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot(x - width / 2, y + height * 0.1)
    angle = np.abs(np.arctan2(x - width / 2, y + height * 0.1))
    sector = (angle < 0.6) & (radius < height * 0.95) & (radius > height * 0.15)
    speckle = Image.fromarray(np.clip(rng.gamma(2, 40, (height, width)), 0, 255).astype(np.uint8))
    blurred = np.asarray(speckle.filter(ImageFilter.GaussianBlur(1.2)))
    return np.where(sector, blurred, 0).astype(np.uint8)


def picture(
    seed: int, *, fonts: Sequence[Any] | None = None, words: Sequence[str] = WORDS, sizes: tuple[int, ...] = (12, 14, 16, 20, 28),
    contrast: int = 40, still: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], list[Text]]:  # fmt: skip
    """A coloured picture, and the texts in it; none is less in contrast than asked, and none lies on another."""
    rng = np.random.default_rng(seed)
    width, height = SIZES[int(rng.integers(len(SIZES)))] if still is None else still.shape[1::-1]
    grey = ground(rng, width, height) if still is None else still
    image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    draw = ImageDraw.Draw(image)
    texts: list[Text] = []
    for _ in range(60):
        points, line = int(rng.choice(sizes)), str(rng.choice(words))
        font = font_of(rng, fonts, points)
        colour = COLOURS[int(rng.integers(len(COLOURS)))]
        at = (int(rng.integers(4, max(width - 200, 5))), int(rng.integers(2, height - 40)))
        left, top, right, bottom = (int(edge) for edge in draw.textbbox(at, line, font=font))
        box = Box(left, top, right - left, bottom - top)
        if box.clipped(width, height) != box or any(box.grown(8).touches(other.box) for other in texts):
            continue
        around = grey[top:bottom, left:right]
        told = int(max(colour) - np.percentile(around, 98))
        if told < contrast:
            continue
        draw.text(at, line, font=font, fill=colour)
        texts.append(Text(box, points, colour, line, told))
        if len(texts) == 5:
            break
    return np.asarray(image), texts


def font_of(rng: np.random.Generator, fonts: Sequence[Any] | None, points: int) -> Any:
    """One of these font files, or the one that Pillow brings."""
    if not fonts:
        return ImageFont.load_default(points)
    return ImageFont.truetype(str(fonts[int(rng.integers(len(fonts)))]), points)


def covered(text: Text, boxes: Sequence[Box]) -> float:
    """The part of a text's box that lies under these boxes."""
    marked = np.zeros((text.box.height, text.box.width), dtype=bool)
    for box in boxes:
        part = Box(box.x - text.box.x, box.y - text.box.y, box.width, box.height).clipped(text.box.width, text.box.height)
        if not part.is_empty:
            marked[part.y : part.bottom, part.x : part.right] = True
    return float(marked.mean())


def image(frames: NDArray[Any], **attributes: Any) -> Dataset:
    """An ultrasound image or clip of an invented patient around these frames (grey, or of three samples)."""
    dataset = Dataset()
    coloured = frames.shape[-1] == 3
    several = frames.ndim == (4 if coloured else 3)
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage if several else UltrasoundImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"
    dataset.Modality, dataset.PatientName, dataset.PatientID = "US", "OKONKWO^ADAEZE", "48213377"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "19560314", "F", "20210312", "142207"
    dataset.Manufacturer, dataset.SeriesNumber, dataset.InstanceNumber, dataset.StudyID = "Invented", "1", "1", "7"
    dataset.AccessionNumber, dataset.ReferringPhysicianName, dataset.Laterality = "991-2231", "Keller", ""
    dataset.ImageType, dataset.PatientOrientation = ["ORIGINAL", "PRIMARY", "", "0001"], ""
    dataset.LossyImageCompression, dataset.BurnedInAnnotation = "00", "YES"
    dataset.Rows, dataset.Columns = frames.shape[int(several) : int(several) + 2]
    dataset.SamplesPerPixel = 3 if coloured else 1
    dataset.PhotometricInterpretation = "RGB" if coloured else "MONOCHROME2"
    if coloured:
        dataset.PlanarConfiguration = 0
    bits = frames.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(np.issubdtype(frames.dtype, np.signedinteger))
    if several:
        dataset.NumberOfFrames, dataset.FrameTime, dataset.FrameIncrementPointer = frames.shape[0], "40", 0x00181063
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    data = frames.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def written(dataset: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
