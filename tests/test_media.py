from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from agnez.errors import BadValueError, NotFoundError
from agnez.media import Image
from agnez.media.pixels import MOST_PIXELS
from agnez.store import media

RNG = np.random.default_rng(0)
SVG = b'<?xml version="1.0"?>\n<!-- a dot --><svg xmlns="http://www.w3.org/2000/svg"><circle r="1"/></svg>'


def shown(value: object) -> np.ndarray:
    """Return the pixels of the file that an image becomes."""
    content, extension = Image(value).frozen().encoded()
    assert extension == "png"
    return np.asarray(Pillow.open(io.BytesIO(content)))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1), (1, 9), (9, 1, 3), (3, 3, 3), (1, 3)])
def test_every_pixel_of_an_array_is_in_its_file(shape: tuple[int, ...]) -> None:
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(shown(pixels), pixels)


def test_one_channel_is_grey_and_a_view_is_as_good_as_an_array() -> None:
    pixels = RNG.integers(0, 256, (8, 6, 1), dtype=np.uint8)
    np.testing.assert_array_equal(shown(pixels), pixels[:, :, 0])
    np.testing.assert_array_equal(shown(pixels[::2, ::-1]), pixels[::2, ::-1, 0])


def test_floats_and_masks_become_levels() -> None:
    assert shown(np.array([[0.0, 0.5, 1.0, np.nan, 1.05, -0.05]])).tolist() == [[0, 128, 255, 0, 255, 0]]
    assert shown(np.array([[0.25]], dtype=np.float16)).tolist() == [[64]]
    assert shown(np.array([[True, False]])).tolist() == [[255, 0]]
    assert shown(np.full((1, 2), np.nan)).tolist() == [[0, 0]]


def test_channels_first_is_recognised_where_nothing_else_fits() -> None:
    pixels = RNG.integers(0, 256, (3, 6, 8), dtype=np.uint8)
    np.testing.assert_array_equal(shown(pixels), pixels.transpose(1, 2, 0))


def test_a_tensor_of_torch_has_its_channels_first_and_may_need_gradients() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.rand(3, 4, 3, requires_grad=True)
    expected = np.rint(tensor.detach().numpy().transpose(1, 2, 0) * 255)
    np.testing.assert_array_equal(shown(tensor), expected)
    assert shown(torch.ones(2, 2, dtype=torch.bfloat16)).tolist() == [[255, 255], [255, 255]]
    assert shown(torch.tensor([[7]], dtype=torch.uint8)).tolist() == [[7]]
    assert shown(torch.tensor([[True]])).tolist() == [[255]]


def test_a_tensor_out_of_range_is_told_when_it_is_read() -> None:
    torch = pytest.importorskip("torch")
    frozen = Image(torch.full((2, 2), 200.0)).frozen()
    with pytest.raises(BadValueError, match=r"reach from 200 to 200.*uint8"):
        frozen.encoded()


def test_what_is_changed_after_freezing_stays_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    pixels, tensor, picture = np.zeros((2, 2)), torch.zeros(2, 2), Pillow.new("L", (2, 2))
    frozen = [Image(each).frozen() for each in (pixels, tensor, picture)]
    pixels += 1
    tensor += 1
    picture.putpixel((0, 0), 255)
    for each in frozen:
        assert not np.asarray(Pillow.open(io.BytesIO(each.encoded()[0]))).any()


def test_an_image_is_what_it_was_when_it_was_logged_not_when_it_was_made() -> None:
    pixels = np.zeros((1, 1), dtype=np.uint8)
    image = Image(pixels)
    pixels[:] = 9
    assert Pillow.open(io.BytesIO(image.frozen().encoded()[0])).getpixel((0, 0)) == 9


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I", "I;16"])
def test_a_pil_image_of_any_mode_becomes_a_png(mode: str) -> None:
    content, extension = Image(Pillow.new(mode, (4, 3)), caption="empty").frozen().encoded()
    assert extension == "png" and Pillow.open(io.BytesIO(content)).size == (4, 3)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_an_image_file_is_kept_byte_for_byte(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.of-any-name"
    Pillow.new("RGB", (3, 3)).save(path, kind)
    assert Image(path).frozen().encoded() == (path.read_bytes(), kind)
    assert Image(str(path)).frozen().encoded() == Image(bytearray(path.read_bytes())).frozen().encoded()


def test_svg_is_recognised_by_its_first_tag() -> None:
    assert Image(SVG).frozen().encoded() == (SVG, "svg")
    with pytest.raises(BadValueError, match="no PNG, JPEG"):
        Image(b"<html><svg></svg></html>")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.zeros(5, np.uint8), r"shape \(5,\) is no picture"),
        (np.zeros((2, 5, 5, 3), np.uint8), "one picture at a time"),
        (np.zeros((5, 5, 2), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((0, 5), np.uint8), "at least one pixel"),
        (np.zeros((5, 5), np.int64), "int64 is not known: give uint8"),
        (np.zeros((5, 5), complex), "complex128 is not known"),
        (np.full((5, 5), 255.0), "reach from 255 to 255: scale them"),
        (np.full((5, 5), np.inf), "reach from inf"),
        (np.full((5, 5), -1.0), "scale them to 0 to 1"),
        (np.broadcast_to(np.uint8(0), (MOST_PIXELS, 2)), "a smaller copy"),
        (7, "no picture can be made of a int"),
        ("nowhere.png", "nowhere.png cannot be read .No such file"),
        ("a\0b.png", "cannot be read"),
        (b"hello", "these bytes are no PNG"),
    ],
)
def test_what_makes_no_picture_is_refused_with_the_cure(value: object, sentence: str) -> None:
    with pytest.raises(BadValueError, match=sentence):
        Image(value)


def test_a_caption_is_text() -> None:
    assert Image(SVG, caption="a dot").frozen().caption == "a dot"
    with pytest.raises(BadValueError, match="caption=7"):
        Image(SVG, caption=7)  # type: ignore[arg-type]


def test_media_are_named_by_what_they_hold_and_kept_once(tmp_path: Path) -> None:
    name = media.put(tmp_path, SVG, "svg")
    written = media.path(tmp_path, name).stat().st_mtime_ns
    assert media.put(tmp_path, SVG, "svg") == name
    assert media.path(tmp_path, name).stat().st_mtime_ns == written
    assert media.names(tmp_path) == [name] and media.leftovers(tmp_path) == []
    assert media.path(tmp_path, name).read_bytes() == SVG and media.is_sound(media.path(tmp_path, name))


def test_a_file_that_a_power_cut_emptied_is_written_again(tmp_path: Path) -> None:
    name = media.put(tmp_path, SVG, "svg")
    media.path(tmp_path, name).write_bytes(b"")
    assert not media.is_sound(media.path(tmp_path, name))
    assert media.put(tmp_path, SVG, "svg") == name and media.is_sound(media.path(tmp_path, name))


def test_threads_that_keep_the_same_picture_agree(tmp_path: Path) -> None:
    names: list[str] = []
    content = RNG.bytes(1 << 20)
    threads = [threading.Thread(target=lambda: names.append(media.put(tmp_path, content, "png"))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(names) == 8 and media.names(tmp_path) == [names[0]] and media.leftovers(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["", "..", "../run.db", "a" * 32 + ".png", "a" * 32 + ".exe", "A" * 32 + ".png", "/etc"]
)
def test_a_name_that_was_never_given_reaches_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "run.db").touch()
    (tmp_path / "media" / ("a" * 32 + ".exe")).touch()
    with pytest.raises(NotFoundError):
        media.path(tmp_path, name)


def test_kinds_and_sizes_have_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadValueError, match="'exe' is no kind"):
        media.put(tmp_path, b"MZ", "exe")
    monkeypatch.setattr(media, "LARGEST", 1 << 20)
    with pytest.raises(BadValueError, match="this wav has 2 MB, more than the 1 MB"):
        media.put(tmp_path, bytes(2 << 20), "wav")
    assert not (tmp_path / "media").exists()
