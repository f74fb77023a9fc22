"""What text is found in pictures that are rendered here, with the font that Pillow brings."""

from __future__ import annotations

import socket
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.pixels.rendered import covered, image, picture, written
from trialimg.domain.mask import Box
from trialimg.pixels import looks
from trialimg.pixels.frames import Frames
from trialimg.pixels.looks import look
from trialimg.pixels.propose import propose

WIDTH, HEIGHT = 480, 360


def boxes_of(frames: np.ndarray, **attributes: object) -> list[Box]:
    return [each.box for each in look(Frames(BytesIO(written(image(frames, **attributes))))).found]


def line(text: str, colour: object, *, points: int = 14, ground: int = 0, mode: str = "L", at: tuple[int, int] = (40, 30)) -> tuple[np.ndarray, Box]:
    canvas = Image.new(mode, (WIDTH, HEIGHT), ground if mode != "RGB" else (ground,) * 3)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(points)
    left, top, right, bottom = (int(edge) for edge in draw.textbbox(at, text, font=font))
    draw.text(at, text, font=font, fill=colour)
    return np.asarray(canvas), Box(left, top, right - left, bottom - top)


def is_found(box: Box, found: list[Box]) -> bool:
    marked = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for each in found:
        marked[max(each.y, 0) : each.bottom, max(each.x, 0) : each.right] = True
    return marked[box.y : box.bottom, box.x : box.right].mean() > 0.95


@pytest.mark.slow
def test_every_text_of_twelve_points_and_some_contrast_is_found_and_hardly_anything_else():
    texts = missed = wrong = 0
    for seed in range(10):
        shown, written_there = picture(seed)
        found = boxes_of(shown)
        texts += len(written_there)
        missed += sum(covered(text, found) < 0.9 for text in written_there)
        wrong += sum(not any(box.grown(6).touches(text.box) for text in written_there) for box in found)
    assert texts > 40
    assert missed == 0
    assert wrong <= 2


def test_a_picture_without_text_has_no_box():
    assert boxes_of(np.zeros((HEIGHT, WIDTH), np.uint8)) == []


@pytest.mark.parametrize("colour", [(255, 255, 0), (0, 200, 90), (60, 60, 255), (200, 40, 40), (70, 70, 70)], ids=str)
def test_text_of_any_colour_is_found(colour):
    shown, box = line("OKONKWO ADAEZE 1956", colour, mode="RGB")
    assert is_found(box, boxes_of(shown))


def test_black_text_on_white_and_a_picture_that_is_turned_are_read_alike():
    shown, box = line("OKONKWO ADAEZE 1956", 0, ground=255)
    assert is_found(box, boxes_of(shown))
    assert is_found(box, boxes_of(shown, PhotometricInterpretation="MONOCHROME1"))


def test_text_too_dark_to_be_seen_is_found():
    shown, box = line("OKONKWO ADAEZE 1956", 14, points=18)
    assert is_found(box, boxes_of(shown))


def test_text_outside_the_window_of_a_deep_picture_is_found():
    shown, box = line("OKONKWO ADAEZE 1956", 255, points=18)
    deep = np.where(shown > 128, np.uint16(60), np.uint16(0))
    deep[200:, :] = 3000
    found = boxes_of(deep, BitsStored=12, HighBit=11, WindowCenter="2000", WindowWidth="400")
    assert is_found(box, found)


def test_text_that_stands_still_over_what_moves_is_found_and_the_frames_looked_at_are_told():
    rng = np.random.default_rng(2)
    moving = rng.integers(0, 200, (40, HEIGHT, WIDTH)).astype(np.uint8)
    shown, box = line("OKONKWO ADAEZE 1956", 255, points=18)
    moving[:, shown > 128] = 210
    told = propose(BytesIO(written(image(moving))))
    assert is_found(box, [Box(*entry[1:5]) for entry in told["boxes"]])
    assert (told["looked_at"], told["through"], told["frames"]) == ([0, 10, 20, 29, 39], 40, 40)
    assert all(entry[0] is None and 0 < entry[5] < 1 for entry in told["boxes"])


def test_text_in_one_frame_that_is_not_looked_at_is_found_on_dark_ground():
    clip = np.zeros((30, HEIGHT, WIDTH), np.uint8)
    clip[17], box = line("OKONKWO ADAEZE 1956", 220)
    assert 17 not in looks._chosen(Frames(BytesIO(written(image(clip)))))
    assert is_found(box, boxes_of(clip))


def test_a_picture_larger_than_the_detectors_parts_is_looked_at_whole():
    wide = np.zeros((300, 3000), np.uint8)
    shown, box = line("OKONKWO ADAEZE 1956", 255, points=20)
    places = (40, 1190, 2500)
    for place in places:
        wide[:, place : place + 440] = np.maximum(wide[:, place : place + 440], shown[:300, :440])
    found = boxes_of(wide)
    for place in places:
        moved = Box(box.x + place, box.y, box.width, box.height)
        assert any(each.grown(4).touches(moved) for each in found)
        marked = np.zeros(wide.shape, dtype=bool)
        for each in found:
            marked[each.y : each.bottom, each.x : each.right] = True
        assert marked[moved.y : moved.bottom, moved.x : moved.right].mean() > 0.95


def test_a_line_written_aslant_is_found():
    shown, _ = line("OKONKWO ADAEZE 1956", 255, points=20, at=(100, 170))
    aslant = np.asarray(Image.fromarray(shown).rotate(25))
    found = boxes_of(aslant)
    marked = np.zeros(aslant.shape, dtype=bool)
    for each in found:
        marked[each.y : each.bottom, each.x : each.right] = True
    assert marked[aslant > 128].mean() > 0.95


def test_the_model_is_read_from_the_disk_and_nothing_from_the_network(monkeypatch):
    from trialimg.pixels import text

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    text._session.cache_clear()
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    shown, box = line("OKONKWO ADAEZE 1956", 255)
    assert is_found(box, boxes_of(shown))
