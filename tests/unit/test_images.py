"""A picture is read upright and as RGB, a view opens nothing, and a broken file is named."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from pseudolab.clip.pixels import BytePreprocessing
from pseudolab.data.images import Images, ImageSet, read_image
from support.photos import picture

# --- images and image sets


def pixels(n=6):
    return np.random.default_rng(0).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)


@given(st.lists(st.integers(-6, 5), max_size=8), st.data())
def test_a_view_is_what_numpy_would_take(chosen, data):
    array = pixels()
    view = Images(array)[chosen]
    assert len(view) == len(chosen)
    assert all((np.asarray(view[at]) == array[i]).all() for at, i in enumerate(chosen))
    mask = data.draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen)))
    again = view[np.array(mask, bool)]
    left = [i for i, kept in zip(chosen, mask, strict=True) if kept]
    wanted = array[np.array(left, int)]
    assert [np.asarray(one).tolist() for one in again] == wanted.tolist()
    assert again.digest() == Images(wanted).digest()


def test_a_number_opens_one_picture():
    images = Images(pixels())
    for at in (2, np.int64(2), np.array(2), -4):
        assert (np.asarray(images[at]) == pixels()[2]).all()
    assert isinstance(images[1], Image.Image) and images[1].mode == "RGB"
    assert len(images[::2]) == 3
    assert len(images[[]]) == 0
    assert len(images[5:1]) == 0
    assert len(list(images)) == 6
    for wrong in (6, -7, [6], [True, False]):
        with pytest.raises(IndexError):
            images[wrong]


def test_an_image_set_wants_one_label_an_image():
    images = ImageSet(Images(pixels()), [0, 1, 2, 0, -1, 1])
    assert images.labels.dtype == np.int64 and len(images) == 6 and images.paths is None
    assert images.subset(images.labels == 1).labels.tolist() == [1, 1]
    assert len(images.subset([])) == 0
    for wrong in ([0, 1], [[0] * 6]):
        with pytest.raises(ValueError, match="one label per image"):
            ImageSet(Images(pixels()), wrong)


def test_a_digest_follows_the_pictures_and_their_order(tmp_path):
    a, b = picture(tmp_path / "a.png", (1, 2, 3)), picture(tmp_path / "b.png", (4, 5, 6))
    moved = picture(tmp_path / "elsewhere" / "c.png", (1, 2, 3))
    assert Images([a, b]).digest() == Images([moved, b]).digest() != Images([b, a]).digest()
    before = Images([a]).digest()
    picture(a, (9, 9, 9))
    os.utime(a, ns=(0, 1))
    assert Images([a]).digest() != before
    zeros, ones = (ImageSet(Images(pixels()), np.full(6, label)) for label in (0, 1))
    assert zeros.digest() == ones.digest()


# --- files that are no images, and images of every kind


def test_pillows_limit_is_kept_where_pillow_only_warns(tmp_path, monkeypatch):
    picture(tmp_path / "x.png", size=(12, 12))
    for limit, good in ((143, False), (144, True), (None, True)):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if good:
                assert read_image(tmp_path / "x.png").size == (12, 12)
            else:
                with pytest.raises(ValueError, match="12 x 12 pixels"):
                    read_image(tmp_path / "x.png")


@settings(max_examples=60)
@given(
    kind=st.sampled_from(["jpeg", "png", "gif", "tiff", "bmp", "webp", "ppm"]),
    at=st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    value=st.integers(0, 255),
)
def test_a_file_with_broken_bytes_is_an_image_or_named_and_nothing_else(
    tmp_path_factory, kind, at, value
):
    path = tmp_path_factory.mktemp("broken") / f"x.{kind}"
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = bytearray(path.read_bytes())
    for one in at:
        data[one % min(len(data), 120)] = value
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert read_image(path).mode == "RGB"
        except ValueError as error:
            assert str(path) in str(error)


def test_every_kind_of_pixel_becomes_rgb(tmp_path):
    ramp = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)
    grey = Image.fromarray(ramp)
    kinds = {
        "grey.png": grey,
        "grey.jpg": grey,
        "palette.png": grey.convert("P"),
        "bits.png": grey.convert("1"),
        "cmyk.jpg": grey.convert("CMYK"),
        "deep.png": Image.fromarray(ramp.astype(np.uint16) << 8),
        "deep.tif": Image.fromarray(ramp.astype(np.uint16) << 8),
        "gif.gif": grey.convert("P"),
    }
    for name, image in kinds.items():
        image.save(tmp_path / name)
        read = read_image(tmp_path / name)
        assert (read.mode, read.size) == ("RGB", (16, 16)), name
        if name != "bits.png":
            most = 25 if name.endswith("jpg") else 1
            assert np.abs(np.asarray(read, int) - ramp[..., None]).max() <= most, name


def test_what_is_see_through_is_white(tmp_path):
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(tmp_path / "a.png")
    Image.new("LA", (4, 4), (0, 128)).save(tmp_path / "b.png")
    clear = Image.new("P", (4, 4), 0)
    clear.putpalette([0, 255, 0] * 256)
    clear.save(tmp_path / "c.png", transparency=0)
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "d.png", transparency=(1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [read_image(tmp_path / f"{name}.png").getpixel((0, 0)) for name in "abcd"]
    assert found == [(255, 255, 255), (127, 127, 127), (255, 255, 255), (255, 255, 255)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_stand_upright(tmp_path, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = (255, 0, 0)  # red in the top left corner of a wide picture
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    note = Image.Exif()
    note[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(undo(upright))).save(tmp_path / "x.png", exif=note)
    assert (np.asarray(read_image(tmp_path / "x.png")) == upright).all()


@pytest.mark.parametrize(("module", "known"), [("open_clip.transform", True), ("mine", False)])
def test_open_clips_functions_are_known_steps_and_others_are_not(module, known):
    "In its older releases the conversion to RGB is a function"

    def convert(image):
        return image.convert("RGB")

    convert.__module__ = module
    half = (0.5, 0.5, 0.5)
    steps = [transforms.Resize(8), convert, transforms.ToTensor(), transforms.Normalize(half, half)]
    found = BytePreprocessing.of(transforms.Compose(steps))
    assert (found is not None) == known
