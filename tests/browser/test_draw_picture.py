"""Draw or drop a picture: what the page takes it for is what Python takes it for, whatever file it
comes from, and with the words that stand in the playground.

Pages are opened from the disk, with the network cut off.
"""

import base64
import io
import struct
from contextlib import contextmanager

import numpy as np
import PIL
import pytest
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from pseudolab.clip.pictures import read_image
from pseudolab.clip.pixels import BytePreprocessing
from pseudolab.data.tasks import load_task
from pseudolab.method.selectors import log_probabilities
from pseudolab.method.zero_shot import fill_template
from pseudolab.views.page_clip import picture_data, write_page_clip
from pseudolab.views.prompt_playground import colour_name, prompt_playground, task_paints
from support.pages import watched

pytestmark = pytest.mark.slow

TASK = "satellite"
PILLOW = int(PIL.__version__.split(".")[0])
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture(scope="module")
def task():
    return load_task(TASK)


@pytest.fixture(scope="module")
def path(clip, task, tmp_path_factory):
    "A page with the CLIP in a folder beside it"
    folder = tmp_path_factory.mktemp("draw")
    write_page_clip(folder / "clip", [TASK])
    return prompt_playground(clip, task, folder="clip").save(folder / "page.html")


@contextmanager
def visited(browser, path, **options):
    "The page with its drawing part unfolded; nothing may be complained of"
    context = browser.new_context(offline=True, **options)
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        complaints = watched(page, path.parent.as_uri())
        page.goto(path.as_uri())
        page.get_by_text("Draw or drop a picture").click()
        yield page
    finally:
        context.close()
    assert not complaints, complaints


# ---- what a page is given, and what it says


DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const part = document.querySelector(".drawing");
  for (const kind of ["dragover", "drop"])
    part.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
}"""


def drop(page, data, name="picture.png", kind="image/png"):
    page.evaluate(DROP, [name, kind, base64.b64encode(data).decode()])


def forget(page):
    page.evaluate("delete document.querySelector('.drawing').dataset.took")


def wait_for_answer(page):
    "Until a question asked since `forget` is answered"
    page.wait_for_function("document.querySelector('.drawing').dataset.took")


def shares(page):
    "Name and probability of each class, the most probable first"
    rows = page.locator(".answer .class-row").all()
    return {
        row.locator(".name").inner_text(): float(row.get_attribute("data-share")) for row in rows
    }


def dropped(page, data, **more):
    "What a file is taken for"
    forget(page)
    drop(page, data, **more)
    wait_for_answer(page)
    return shares(page)


def painted(page):
    "The pixels on the canvas, (56, 56, 3)"
    found = page.evaluate("""() => {
      const canvas = document.querySelector(".painting");
      return [...canvas.getContext("2d").getImageData(0, 0, 56, 56).data];
    }""")
    return np.array(found, np.uint8).reshape(56, 56, 4)[..., :3]


def of_python(clip, task, image, template=None, names=None):
    texts = fill_template(template or task.template, names or task.class_names)
    logits = clip.logit_scale.exp() * clip.encode_images([image]) @ clip.encode_texts(texts).T
    found = np.exp(log_probabilities(logits)).flatten()
    return dict(zip(names or task.class_names, found.tolist(), strict=True))


def assert_near(got, expected, most=1e-9):
    assert got.keys() == expected.keys()
    assert max(abs(got[name] - expected[name]) for name in got) <= most
    assert list(got.values()) == sorted(got.values(), reverse=True)


def as_file(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def stroke(page, *places):
    "The mouse, pressed, from place to place; each in shares of the canvas"
    canvas = page.locator(".painting")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


# ---- the same as Python


def ten(task):
    return [task.test.images[at] for at in range(0, 1500, 150)]


def test_ten_dropped_pictures_are_taken_for_what_python_takes_them(browser, clip, task, path):
    with visited(browser, path) as page:
        for image in ten(task):
            assert_near(dropped(page, as_file(image)), of_python(clip, task, image))
            assert np.array_equal(painted(page), np.asarray(image))


FEATURES = """async (files) => {
  const clip = await plabClip.start({ folder: "clip" });
  const rgba = new Uint8ClampedArray(files.length * 56 * 56 * 4);
  for (const [i, data] of files.entries()) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    rgba.set((await plabClip.picture(new File([bytes], "a.png"))).rgba, i * 56 * 56 * 4);
  }
  const features = [...(await clip.encodeImages(rgba))];
  clip.close();
  return features;
}"""


def test_their_features_are_pythons(browser, clip, task, path):
    files = [base64.b64encode(as_file(image)).decode() for image in ten(task)]
    with visited(browser, path) as page:
        dropped(page, base64.b64decode(files[0]))
        got = page.evaluate(FEATURES, files)
    expected = clip.encode_images(ten(task)).flatten().numpy()
    assert np.abs(np.array(got) - expected).max() <= 1e-12


def noise(width, height, mode="RGB", seed=0):
    "Smooth here, rough there, with edges"
    generator = np.random.default_rng(seed)
    depth = len(Image.new(mode, (1, 1)).getbands())
    pixels = generator.integers(0, 256, (height, width, depth), np.uint8)
    pixels[: height // 2] = np.linspace(0, 255, width).astype(np.uint8)[None, :, None]
    pixels[:, width // 3 : width // 2] = 255
    return Image.fromarray(pixels[..., 0] if depth == 1 else pixels, mode)


def as_clip_sees(clip, tmp_path, data):
    (tmp_path / "picture").write_bytes(data)
    return BytePreprocessing.of(clip.preprocess).to_bytes(read_image(tmp_path / "picture"))


SIZES = [(56, 56), (57, 56), (56, 59), (61, 200), (300, 199), (40, 33), (1, 1), (7, 500)]
SIZES += [(1203, 817), (4000, 3000), (60, 5900), (70, 141), (140, 315), (5900, 60)]


@pytest.fixture(scope="module")
def shown(browser, path):
    "The pixels that a page makes of a file"
    with visited(browser, path) as page:

        def run(data, **more):
            dropped(page, data, **more)
            return painted(page).astype(int)

        yield run


def in_two_steps(data):
    """As Pillow shrinks since version 13, columns first where they lose more than twice as many
    pixels as rows; before it, rows always came first
    """
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    across, down = (int(56 * side / min(image.size)) for side in image.size)
    steps = [(across, height), (across, down)]
    if height > down and height - down > 2 * (width - across):
        steps[0] = (width, down)
    for step in steps:
        image = image.resize(step, Image.Resampling.BICUBIC)
    left, top = round((across - 56) / 2), round((down - 56) / 2)
    return np.asarray(image.crop((left, top, left + 56, top + 56)))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_png_of_any_size_is_shrunk_as_in_python(shown, clip, tmp_path, size):
    data = as_file(noise(*size), compress_level=1)
    found = shown(data)
    assert np.array_equal(found, in_two_steps(data))
    if size[1] <= 2 * size[0] or PILLOW >= 13:
        assert np.array_equal(found, as_clip_sees(clip, tmp_path, data))


@pytest.mark.parametrize("kind", ["grey", "palette", "gif", "bmp", "webp"])
def test_other_opaque_pictures_are_pythons(shown, clip, tmp_path, kind):
    image = noise(90, 140)
    data = {
        "grey": lambda: as_file(noise(90, 140, "L")),
        "palette": lambda: as_file(image.quantize(40)),
        "gif": lambda: as_file(image.quantize(200), "GIF"),
        "bmp": lambda: as_file(image, "BMP"),
        "webp": lambda: as_file(image, "WEBP", lossless=True),
    }[kind]()
    assert np.array_equal(shown(data), as_clip_sees(clip, tmp_path, data))


def test_a_colour_profile_is_left_alone_as_in_python(shown, clip, tmp_path):
    bright = PngInfo()
    bright.add(b"gAMA", struct.pack(">I", 100_000))  # values that are proportional to light
    data = as_file(noise(56, 56), pnginfo=bright)
    assert b"gAMA" in data
    assert np.array_equal(shown(data), as_clip_sees(clip, tmp_path, data))


def photo(width=640, height=480):
    "As a camera sees it: without noise in every pixel"
    image = Image.new("RGB", (width, height), "#86935a")
    draw = ImageDraw.Draw(image)
    for i in range(40):
        place = [(37 * i) % width, (53 * i) % height]
        colour = ["#455265", "#fff189", "#9bce73", "#96513f"][i % 4]
        draw.ellipse([*place, place[0] + 90, place[1] + 60], fill=colour)
    return image


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_photo_stands_upright(shown, clip, tmp_path, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    data = as_file(photo(), "JPEG", quality=92, exif=exif)
    expected = as_clip_sees(clip, tmp_path, data)
    assert np.abs(shown(data, kind="image/jpeg") - expected).max() <= 3


@pytest.mark.parametrize("size", [(56, 56), (300, 200)], ids=str)
def test_what_is_see_through_is_white(shown, clip, tmp_path, size):
    image = noise(*size, "RGBA")
    alpha = np.asarray(image)[..., 3].copy()
    alpha[:20] = 0
    alpha[20:30] = 255
    image.putalpha(Image.fromarray(alpha))
    data = as_file(image)
    found = shown(data)
    assert np.abs(found - as_clip_sees(clip, tmp_path, data)).max() <= 2
    assert (shown(as_file(Image.new("RGBA", (80, 80), (9, 9, 9, 0)))) == 255).all()


# ---- drawing


def test_a_stroke_changes_the_answer_and_undo_takes_it_back(browser, clip, task, path):
    with visited(browser, path) as page:
        before = dropped(page, as_file(task.test.images[0]))
        page.get_by_role("radio", name="teal").click()
        page.get_by_role("radio", name="12 pixels wide").click()
        forget(page)
        stroke(page, (0.1, 0.1), (0.9, 0.5), (0.2, 0.9))
        wait_for_answer(page)
        page.wait_for_timeout(200)
        pixels = painted(page)
        teal = next(colour for colour, name in task_paints(task) if name == "teal")
        assert (pixels == list(bytes.fromhex(teal[1:]))).all(axis=2).sum() > 500
        got = shares(page)
        assert_near(got, of_python(clip, task, Image.fromarray(pixels)))
        assert got != before
        forget(page)
        page.get_by_role("button", name="Undo").click()
        wait_for_answer(page)
        assert shares(page) == before


def test_an_answer_follows_a_stroke_at_once(browser, path):
    took = []
    with visited(browser, path) as page:
        stroke(page, (0.5, 0.5), (0.6, 0.5))
        wait_for_answer(page)
        for i in range(8):
            forget(page)
            stroke(page, (0.1 * i, 0.2), (0.1 * i, 0.3))
            wait_for_answer(page)
            took.append(float(page.locator(".drawing").get_attribute("data-took")))
    print(f"strokes answered in {np.median(took):.1f} ms (median), {max(took):.1f} at most")
    assert np.median(took) < 100


def test_brushes_and_paints_are_what_they_say(browser, path):
    with visited(browser, path) as page:
        plain = painted(page)
        for name, least, most in (("1 pixel wide", 1, 1), ("3 pixels", 4, 9), ("12 pix", 100, 130)):
            page.get_by_role("radio", name=name).click()
            stroke(page, (0.5, 0.5))
            changed = (painted(page) != plain).any(axis=2).sum()
            assert least <= changed <= most, name
            page.keyboard.press("Control+Z")
            assert np.array_equal(painted(page), plain)
        page.get_by_label("your own").fill("#123456")
        page.get_by_role("button", name="Fill").click()
        assert (painted(page) == [0x12, 0x34, 0x56]).all()
        page.get_by_role("button", name="Clear").click()
        assert np.array_equal(painted(page), plain)


def test_a_test_picture_is_one_of_the_tasks(browser, clip, task, path):
    known = {np.asarray(image).tobytes(): label for image, label in labelled(task)}
    met = set()
    with visited(browser, path) as page:
        for _ in range(6):
            forget(page)
            page.get_by_role("button", name="A test picture").click()
            wait_for_answer(page)
            pixels = painted(page)
            name = page.locator(".truth b").inner_text()
            assert task.class_names[known[pixels.tobytes()]] == name
            met.add(pixels.tobytes())
            assert_near(shares(page), of_python(clip, task, Image.fromarray(pixels)))
    assert len(met) == 6, "none comes twice"


def labelled(task):
    chosen = np.concatenate([np.flatnonzero(task.test.labels == c)[:4] for c in range(10)])
    return [(task.test.images[at], task.test.labels[at]) for at in chosen]


# ---- words


def test_words_change_the_answer(browser, clip, task, path):
    image = task.test.images[7]
    with visited(browser, path) as page:
        before = dropped(page, as_file(image))
        forget(page)
        page.get_by_label("Your template").fill("lovely {}")
        wait_for_answer(page)
        assert_near(shares(page), of_python(clip, task, image, "lovely {}"))
        assert shares(page) != before
        page.get_by_text("The class names").click()
        forget(page)
        page.get_by_label("lake", exact=True).fill("sea")
        wait_for_answer(page)
        names = ["sea" if name == "lake" else name for name in task.class_names]
        assert_near(shares(page), of_python(clip, task, image, "lovely {}", names))


def test_words_that_cannot_be_read_make_it_wait(browser, clip, task, path):
    image = task.test.images[7]
    with visited(browser, path) as page:
        before = dropped(page, as_file(image))
        page.get_by_label("Your template").fill("zeppelin {}")
        page.wait_for_selector(".drawing .waits")
        drop(page, as_file(task.test.images[300]))
        page.wait_for_timeout(300)
        assert shares(page) == before
        forget(page)
        page.get_by_label("Your template").fill("{}")
        wait_for_answer(page)
        assert page.locator(".drawing .waits").count() == 0
        assert_near(shares(page), of_python(clip, task, task.test.images[300], "{}"))


# ---- files that are no pictures


def huge():
    return as_file(Image.new("1", (20_000, 20_000)))


def moving(kind):
    frames = [Image.new("RGB", (60, 60), colour) for colour in ("#9bce73", "#455265", "#fff")]
    return as_file(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="http://x.y/"/>'
SVG += b"</svg>"
REFUSED = {
    "huge": (huge, "20,000 × 20,000 pixels"),
    "text": (lambda: b"not a picture at all", "no picture that this browser can read"),
    "empty": (lambda: b"", "no picture"),
    "script": (lambda: b"<script>alert(1)</script>", "no picture"),
    "svg": (lambda: SVG, "save it as a PNG"),
    "xml": (lambda: b'<?xml version="1.0"?>' + SVG, "save it as a PNG"),
    "thin": (lambda: as_file(Image.new("RGB", (5000, 4))), "100 times as long as wide"),
    "cut": (lambda: as_file(noise(300, 300))[:60], "This "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_no_picture_is_refused_in_a_sentence(browser, task, path, kind):
    data, said = REFUSED[kind]
    with visited(browser, path) as page:
        before = dropped(page, as_file(task.test.images[0]))
        drop(page, data(), name="<img src=x onerror=alert(1)>.png")
        page.wait_for_selector(".drawing .said:not([hidden])")
        note = page.locator(".drawing .said").inner_text()
        assert said in note and note.endswith(".") and note[0].isupper()
        assert shares(page) == before
        assert page.locator(".plab img").count() == 0
        dropped(page, as_file(task.test.images[1]))
        assert page.locator(".drawing .said").is_hidden()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_a_moving_picture_the_first_frame_is_taken(browser, path, kind):
    with visited(browser, path) as page:
        dropped(page, moving(kind))
        assert "first frame" in page.locator(".drawing .said").inner_text()
        assert np.abs(painted(page).astype(int) - [0x9B, 0xCE, 0x73]).max() <= 4
        dropped(page, as_file(noise(60, 60).quantize(9), "GIF"))
        assert page.locator(".drawing .said").is_hidden()


def test_a_drop_without_a_file_and_hostile_names_are_text(browser, task, path):
    with visited(browser, path) as page:
        page.evaluate("""() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData("text/uri-list", "http://x.y/picture.png");
          const options = { dataTransfer, bubbles: true, cancelable: true };
          document.querySelector(".drawing").dispatchEvent(new DragEvent("drop", options));
        }""")
        page.wait_for_selector(".drawing .said:not([hidden])")
        assert "drop a picture from your disk" in page.locator(".drawing .said").inner_text()
        dropped(page, as_file(task.test.images[0]), name="<b>bold</b>.png")
        assert page.locator(".truth").inner_text() == "<b>bold</b>.png"


# ---- hands


def test_a_finger_draws_and_the_page_stays(browser, path):
    with visited(browser, path, **PHONE) as page:
        plain = painted(page)
        canvas = page.locator(".painting")
        canvas.scroll_into_view_if_needed()
        assert canvas.evaluate("node => getComputedStyle(node).touchAction") == "none"
        box = canvas.bounding_box()
        before = page.evaluate("scrollY")
        hand = page.context.new_cdp_session(page)
        for i in range(12):
            at = {"x": box["x"] + 100, "y": box["y"] + 40 + 15 * i}
            kind = "touchMove" if i else "touchStart"
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wait_for_answer(page)
        changed = (painted(page) != plain).any(axis=2)
        assert changed.sum() > 60
        assert page.evaluate("scrollY") == before
        small = page.evaluate("""() =>
          [...document.querySelectorAll(".drawing :is(button, summary, .own input)")]
            .map((node) => [node.textContent, node.getBoundingClientRect()])
            .filter(([, { width, height }]) => Math.min(width, height) < 44)
            .map(([text]) => text)""")
        assert not small


def test_the_keyboard_reaches_everything(browser, task, path, tmp_path):
    (tmp_path / "own.png").write_bytes(as_file(task.test.images[3]))
    with visited(browser, path) as page:
        page.locator(".drawing > summary").focus()
        page.keyboard.press("Tab")  # the picture
        for name in ("A test picture", "Choose a file …"):
            page.keyboard.press("Tab")
            focused = page.evaluate("document.activeElement.textContent")
            assert focused == name
            if name == "A test picture":
                page.keyboard.press("Enter")
                wait_for_answer(page)
        forget(page)
        # the browser must know that a chooser is awaited before the key arrives
        page.on("filechooser", lambda chooser: None)
        page.evaluate("document.hasFocus()")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(tmp_path / "own.png")
        wait_for_answer(page)
        assert np.array_equal(painted(page), np.asarray(task.test.images[3]))
        names = []
        for _ in range(6):
            page.keyboard.press("Tab")
            names.append(page.evaluate("document.activeElement.textContent"))
        assert names[:3] == ["Undo", "Fill", "Clear"]
        assert page.evaluate("document.activeElement.type") == "color"
        page.get_by_role("button", name="Clear").press("Enter")
        assert (painted(page) == painted(page)[0, 0]).all()


def test_the_keyboard_draws(browser, clip, task, path):
    with visited(browser, path) as page:
        plain = painted(page)
        page.get_by_role("radio", name="3 pixels wide").click()
        page.locator(".drawing > summary").focus()
        page.keyboard.press("Tab")
        assert page.locator(".drawing .keys").is_visible()
        for key in ("ArrowRight", "ArrowRight", "ArrowUp"):  # by two pixels each, from the middle
            page.keyboard.press(key)
        assert np.array_equal(painted(page), plain), "without Shift the brush only moves"
        page.keyboard.press(" ")
        changed = (painted(page) != plain).any(axis=2)
        rows, columns = changed.nonzero()
        assert (rows.mean() + 0.5, columns.mean() + 0.5) == (26, 32)
        forget(page)
        for _ in range(5):
            page.keyboard.press("Shift+ArrowLeft")
        wait_for_answer(page)
        changed = (painted(page) != plain).any(axis=2)
        assert changed[25:27, 22:32].all() and changed[:, :20].sum() == 0
        for _ in range(40):
            page.keyboard.press("Shift+ArrowDown")
        assert (painted(page) != plain).any(axis=2)[55, 21:23].all(), "at the edge it stays inside"
        page.wait_for_timeout(200)
        assert_near(shares(page), of_python(clip, task, Image.fromarray(painted(page))))
        for _ in range(46):
            page.keyboard.press("Control+Z")
        assert np.array_equal(painted(page), plain)


def test_a_screen_reader_is_told_once_it_has_come_to_rest(browser, path):
    with visited(browser, path) as page:
        stroke(page, (0.5, 0.5), (0.6, 0.5))
        wait_for_answer(page)
        page.evaluate("""() => {
          globalThis.told = [];
          const line = document.querySelector(".drawing [aria-live=polite]");
          const watch = new MutationObserver(() => told.push(line.textContent));
          watch.observe(line, { childList: true });
        }""")
        for i in range(5):
            stroke(page, (0.1 * i, 0.2), (0.1 * i, 0.3))
        page.wait_for_function("told.length > 0")
        page.wait_for_timeout(1500)
        told = page.evaluate("told")
        assert len(told) == 1
        first, second = list(shares(page))[:2]
        assert told[0].startswith(f"Taken for {first}, ") and told[0].endswith(f"then {second}.")


def test_a_picture_is_pasted_but_not_beside_pasted_words(browser, task, path):
    paste = """([selector, data]) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
      document.querySelector(selector).dispatchEvent(
        new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }"""
    data = base64.b64encode(as_file(task.test.images[5])).decode()
    with visited(browser, path) as page:
        plain = painted(page)
        page.evaluate(paste, ["input.template", data])
        page.wait_for_timeout(300)
        assert np.array_equal(painted(page), plain)
        page.evaluate(paste, ["body", data])
        wait_for_answer(page)
        assert np.array_equal(painted(page), np.asarray(task.test.images[5]))


# ---- what is fetched, and when


def test_the_image_tower_is_read_when_somebody_draws(browser, path):
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(path.as_uri())
    page.get_by_label("Your template").fill("lovely {}")
    page.wait_for_function("document.querySelector('.plab').dataset.took")
    page.get_by_text("Draw or drop a picture").click()
    page.wait_for_timeout(200)
    of_texts = ["clip.js", "clip_weights.js", f"clip_task_{TASK}.js"]
    assert [name for name in asked if name.endswith(".js")] == of_texts
    stroke(page, (0.5, 0.5), (0.6, 0.5))
    wait_for_answer(page)
    assert asked[-1] == "clip_image_tower.js"
    page.get_by_role("button", name="A test picture").click()
    page.wait_for_selector(".truth b")
    assert asked[-1] == f"clip_pictures_{TASK}.js"
    assert len(asked) == len(set(asked))
    context.close()


def test_without_the_image_tower_a_sentence_says_so(browser, clip, task, tmp_path):
    write_page_clip(tmp_path / "clip", [TASK], image_tower=False)
    path = prompt_playground(clip, task, folder="clip").save(tmp_path / "page.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.get_by_text("Draw or drop a picture").click()
    stroke(page, (0.5, 0.5), (0.6, 0.5))
    page.wait_for_selector(".drawing .said:not([hidden])")
    assert "clip_image_tower.js could not be read" in page.locator(".drawing .said").inner_text()
    page.close()


def test_a_page_that_carries_all_along_answers_too(browser, clip, task, tmp_path):
    path = prompt_playground(clip, task).save(tmp_path / "page.html")
    assert path.stat().st_size < 4.4e6
    with visited(browser, path) as page:
        image = task.test.images[0]
        assert_near(dropped(page, as_file(image)), of_python(clip, task, image))
        page.get_by_role("button", name="A test picture").click()
        page.wait_for_selector(".truth b")


# ---- how it looks


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, task, path, scheme):
    api = pytest.importorskip("axe_playwright_python.sync_playwright")
    with visited(browser, path, color_scheme=scheme) as page:
        dropped(page, moving("GIF"))
        drop(page, b"no picture")
        page.wait_for_selector(".drawing .said:not([hidden])")
        axe = api.Axe()
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        page.get_by_label("Your template").fill("zeppelin {}")
        page.wait_for_selector(".drawing .waits")
        found += axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert not [(rule["id"], node["html"]) for rule in grave for node in rule["nodes"]]


# ---- in Python alone


@pytest.mark.parametrize("name", [TASK, "digits", "flowers"])
def test_paints_are_colours_of_the_pictures(name):
    some = load_task(name)
    paints = task_paints(some)
    names = [name for _, name in paints]
    assert len(set(names)) == len(names) <= 12
    pixels = np.concatenate([np.asarray(some.test.images[at]).reshape(-1, 3) for at in range(99)])
    for colour, _ in paints:
        distance = np.abs(pixels - np.array(list(bytes.fromhex(colour[1:]))).astype(int)).max(
            axis=1
        )
        assert distance.min() < 32, colour


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((128, 128, 128), "grey"),
        ((255, 0, 0), "red"),
        ((250, 10, 60), "red"),
        ((120, 80, 40), "dark brown"),
        ((0, 0, 130), "dark blue"),
        ((190, 230, 190), "light green"),
    ],
)
def test_colours_have_names(rgb, name):
    assert colour_name(*rgb) == name


def test_pictures_of_a_task_are_stored_without_loss(clip, task):
    data = picture_data(task, clip, per_class=2)
    column = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["webp"]))))
    assert column.shape == (20 * 56, 56, 3)
    of_last = np.flatnonzero(task.test.labels == 9)[1]
    assert np.array_equal(column[-56:], np.asarray(task.test.images[of_last]))
    assert data["labels"] == [c for c in range(10) for _ in range(2)]
