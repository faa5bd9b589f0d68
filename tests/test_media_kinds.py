"""What becomes of media: their files, what a cell holds of them, and what is refused with the cure."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from PIL import Image as Pillow

from agnez.errors import BadValueError
from agnez.media import KINDS, Audio, Histogram, Html, Image, Images, Media, Table, Text, Video

RNG = np.random.default_rng(0)


class Kept:
    """Stand where files are kept."""

    def __init__(self, medium: Media) -> None:
        self.files: dict[str, tuple[bytes, str]] = {}
        self.value: Any = medium.frozen().kept(self.keep)

    def keep(self, content: bytes, extension: str) -> str:
        self.files[address := f"file-{len(self.files)}"] = content, extension
        return address

    def only(self) -> tuple[bytes, str]:
        (file,) = self.files.values()
        return file


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(content)))


def test_each_kind_has_a_word_of_its_own() -> None:
    words = [each.kind for each in KINDS]
    assert words == ["img", "images", "video", "audio", "text", "table", "histogram", "html"]


@pytest.mark.parametrize("shape", [(5, 4, 3), (7, 4, 3, 3), (3, 6, 2, 4), (1, 1, 1), (4, 3, 8, 9)])
def test_pictures_of_one_array_lie_on_one_sheet_pixel_by_pixel(shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    kept = Kept(Images(array))
    sheet, value = pixels(kept.only()[0]), kept.value
    upright = array.transpose(0, 2, 3, 1) if shape == (4, 3, 8, 9) else array
    assert value["count"] == len(array) and (value["height"], value["width"]) == upright.shape[1:3]
    for place, picture in enumerate(upright):
        row, column = divmod(place, value["columns"])
        top, left = row * value["height"], column * value["width"]
        shown = sheet[top : top + value["height"], left : left + value["width"]]
        np.testing.assert_array_equal(shown, picture.reshape(shown.shape))


def test_weights_are_stretched_together_and_nan_does_not_reach_the_rest() -> None:
    weights = np.array([[[-2.0, 0.0]], [[2.0, np.nan]]], dtype=np.float32)
    kept = Kept(Images(weights, normalize=True))
    assert sorted(pixels(kept.only()[0]).ravel().tolist()) == [0, 0, 128, 255]
    with pytest.raises(BadValueError, match="scale them"):
        Images(weights)


def test_pictures_of_several_sizes_keep_their_captions() -> None:
    kept = Kept(Images([Image(np.zeros((2, 2)), caption="small"), np.ones((3, 3))]))
    assert [each["caption"] for each in kept.value] == ["small", ""]
    assert [pixels(content).shape for content, _ in kept.files.values()] == [(2, 2), (3, 3)]


@pytest.mark.parametrize("as_list", [False, True])
def test_frames_become_a_gif_that_moves(as_list: bool) -> None:
    frames = np.zeros((4, 6, 8), dtype=np.uint8)
    for nth in range(4):
        frames[nth, nth] = 255
    content, extension = Kept(Video(list(frames) if as_list else frames, fps=5)).only()
    film = Pillow.open(io.BytesIO(content))
    assert (extension, film.n_frames, film.size) == ("gif", 4, (8, 6))  # type: ignore[attr-defined]
    for nth in range(4):
        film.seek(nth)
        assert film.info["duration"] == 200
        np.testing.assert_array_equal(np.asarray(film.convert("L")), frames[nth])


def test_a_video_of_torch_has_its_channels_first() -> None:
    torch = pytest.importorskip("torch")
    frames = torch.zeros(3, 3, 5, 4)
    frames[:, 0] = 1.0
    film = Pillow.open(io.BytesIO(Kept(Video(frames)).only()[0]))
    assert film.size == (4, 5) and film.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_samples_become_a_wav_sample_by_sample() -> None:
    tone = (0.5 * np.sin(np.arange(8000) / 3)).astype(np.float32)
    kept = Kept(Audio(tone, sample_rate=8000, caption="a tone"))
    content, extension = kept.only()
    with wave.open(io.BytesIO(content)) as reader:
        assert (reader.getnchannels(), reader.getframerate(), reader.getsampwidth()) == (1, 8000, 2)
        read = np.frombuffer(reader.readframes(9000), dtype="<i2")
    np.testing.assert_allclose(read / 32767, tone, atol=2e-5)
    assert (extension, kept.value["seconds"]) == ("wav", 1.0)
    assert max(kept.value["peaks"]) == pytest.approx(0.5, abs=1e-2) and len(kept.value["peaks"]) == 240


@pytest.mark.parametrize("turned", [False, True])
def test_channels_of_a_sound_may_come_first_or_last(turned: bool) -> None:
    stereo = RNG.integers(-9, 9, (100, 2), dtype=np.int16)
    content, _ = Kept(Audio(stereo.T if turned else stereo, sample_rate=100)).only()
    with wave.open(io.BytesIO(content)) as reader:
        assert reader.getnchannels() == 2
        assert reader.readframes(100) == stereo.tobytes()


def test_a_short_text_travels_with_its_cell_and_a_long_one_is_a_file() -> None:
    assert Kept(Text("# Hi")).value == "# Hi"
    kept = Kept(Text("é" * 5000))
    assert kept.value == {"src": "file-0"} and kept.only() == (("é" * 5000).encode(), "md")
    assert Kept(Text("half \ud800")).value == "half ?"


_ROWS = [["cat", 0.5, True, None], ["dog", float("nan"), False, 2**60]]
_NAMES = ["label", "score", "good", "big"]
_TABLE = {"columns": _NAMES, "rows": [["cat", 0.5, True, None], ["dog", "NaN", False, str(2**60)]]}


@pytest.mark.parametrize(
    "table",
    [
        Table(_ROWS, columns=_NAMES),
        Table([dict(zip(_NAMES, row, strict=True)) for row in _ROWS]),
        Table({name: [row[place] for row in _ROWS] for place, name in enumerate(_NAMES)}),
        Table(pandas.DataFrame(_ROWS, columns=_NAMES, dtype=object)),
        Table(polars.DataFrame({name: [row[place] for row in _ROWS] for place, name in enumerate(_NAMES)})),
    ],
    ids=["rows", "mappings", "columns", "pandas", "polars"],
)
def test_a_table_is_the_same_whatever_it_is_made_of(table: Table) -> None:
    assert Kept(table).value == _TABLE


def test_a_large_table_is_a_file_and_numbers_of_numpy_are_numbers() -> None:
    kept = Kept(Table(np.arange(4000, dtype=np.float32).reshape(1000, 4), columns=list("abcd")))
    content, extension = kept.only()
    read = json.loads(content)
    assert (extension, kept.value["rows"], len(read["rows"])) == ("json", 1000, 1000)
    assert read["rows"][-1] == [3996, 3997, 3998, 3999] and read["columns"] == [*"abcd"]
    assert Kept(Table([[np.float64(0.5), np.int8(3), np.bool_(True)]], columns=list("abc"))).value["rows"] == [
        [0.5, 3, True]
    ]


def test_a_table_is_what_it_was_when_it_was_logged() -> None:
    rows, frame, column = [[1]], pandas.DataFrame({"a": [1]}), np.array([1])
    frozen = [Table(rows, columns=["a"]).frozen(), Table(frame).frozen(), Table({"a": column}).frozen()]
    rows[0][0] = column[0] = 9
    frame.loc[0, "a"] = 9
    assert [each.kept(lambda content, extension: "")["rows"] for each in frozen] == [[[1]]] * 3


def test_a_histogram_counts_every_number_and_those_that_are_none_apart() -> None:
    torch = pytest.importorskip("torch")
    numbers = RNG.normal(size=1000)
    expected, edges = np.histogram(numbers, 20)
    for each in (numbers, torch.tensor(numbers), numbers.reshape(10, 100), [*numbers]):
        value = Kept(Histogram(each, bins=20)).value
        assert value["counts"] == expected.tolist()
        np.testing.assert_allclose(value["edges"], edges, rtol=1e-6)
    value = Kept(Histogram([1.0, float("nan"), float("inf"), 2.0], bins=2)).value
    assert (value["counts"], value["non_finite"]) == ([1, 1], 2)
    assert Kept(Histogram([float("nan")])).value == {"counts": [], "edges": [], "non_finite": 1}
    assert Kept(Histogram(np_histogram=(expected, edges))).value["counts"] == expected.tolist()


def test_html_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<b>hi</b>")
    for each in (Html("<b>hi</b>"), Html(tmp_path / "page.html")):
        kept = Kept(each)
        assert kept.only() == (b"<b>hi</b>", "html") and kept.value == {"src": "file-0"}


MP4 = b"\0\0\0\x18ftypmp42" + bytes(100)


@pytest.mark.parametrize(
    ("make", "content", "extension"),
    [(Video, MP4, "mp4"), (Video, b"\x1aE\xdf\xa3" + bytes(9), "webm"), (Audio, b"OggS" + bytes(9), "ogg")],
)
def test_a_file_is_kept_byte_for_byte(make: type[Media], content: bytes, extension: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    for given in (content, tmp_path / "file", str(tmp_path / "file")):
        kept = Kept(make(given))  # type: ignore[call-arg]
        assert kept.only() == (content, extension) and kept.value == {"src": "file-0"}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Images(np.zeros((2, 2))), "holds no pictures"),
        (lambda: Images([]), "at least one"),
        (lambda: Images(7), "no pictures can be made of a int"),
        (lambda: Images(np.zeros((2000, 1, 1))), "at most 1000"),
        (lambda: Images(np.zeros((2, 5, 5, 2))), "1, 3 or 4 channels"),
        (lambda: Video(np.zeros((4, 4))), "is no video"),
        (lambda: Video([np.zeros((4, 4)), np.zeros((5, 5))]), "one size"),
        (lambda: Video(np.zeros((0, 4, 4))), "at least one"),
        (lambda: Video(np.zeros((2, 4, 4)), fps=0), "fps=0"),
        (lambda: Video("nowhere.mp4"), "nowhere.mp4 cannot be read"),
        (lambda: Video(b"hello"), "no MP4, WebM or GIF"),
        (lambda: Audio(np.zeros(8)), "sample_rate=None"),
        (lambda: Audio(np.zeros((8, 20)), sample_rate=8.5), "sample_rate=8.5"),  # type: ignore[arg-type]
        (lambda: Audio(np.zeros((80, 200)), sample_rate=8), "is no sound"),
        (lambda: Audio(np.zeros(8, np.int64), sample_rate=8), "int64 is not known"),
        (lambda: Audio(np.full(8, 300.0), sample_rate=8), "reach from 300 to 300"),
        (lambda: Audio([0.1, 0.2], sample_rate=8), "no sound can be made of a list"),
        (lambda: Text(7), "takes a text, not a int"),  # type: ignore[arg-type]
        (lambda: Text("x" * 1_000_001), "1,000,001 letters"),
        (lambda: Table([[1, 2]]), "columns="),
        (lambda: Table([[1, 2], [3]], columns=["a", "b"]), "row 1 of a table has 1 values"),
        (lambda: Table(["ab"], columns=["a", "b"]), "lists of values"),
        (lambda: Table({"a": [1], "b": [1, 2]}), "one length"),
        (lambda: Table({"a": [1]}, columns=["c"]), "no column 'c'"),
        (lambda: Table(np.zeros((100_001, 1))), "more than the 100,000 rows"),
        (lambda: Table(7), "no table can be made of a int"),
        (lambda: Histogram(), "give one of them"),
        (lambda: Histogram([]), "at least one"),
        (lambda: Histogram(["a"]), "give numbers"),
        (lambda: Histogram([1.0], bins=0), "bins=0"),
        (lambda: Histogram(np_histogram=([1, 2], [0, 1])), "one edge more"),
        (lambda: Histogram(np_histogram=([1, 2], [0, 1, 1])), "edges of a histogram rise"),
        (lambda: Html(7), "takes HTML as text"),  # type: ignore[arg-type]
        (lambda: Html(Path("nowhere.html")), "cannot be read"),
        (lambda: Text("a", caption=3), "caption=3"),  # type: ignore[arg-type]
        (lambda: Text("a", caption="\ud800"), "half of a character"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_the_cure(make: Any, sentence: str) -> None:
    with pytest.raises(BadValueError, match=sentence):
        make()
