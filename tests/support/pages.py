"""Pages opened in a browser with the network cut off, and all that they complain of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pseudolab.views.html import Widget
from support import DOCS


def watched(
    page: Any,  # of Playwright
    allowed: str,  # how the address of a request may begin
) -> list[str]:
    "What a page complains of from now on: the list grows with every message, dialog and request"
    complaints: list[str] = []
    harmless = (allowed, "data:", "blob:")

    def on_dialog(dialog: Any) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(request: Any) -> None:
        if not request.url.startswith(harmless):
            complaints.append(f"asked for {request.url}")

    def on_failure(request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # given up: another page is opened
            complaints.append(f"failed: {request.url}")

    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", on_dialog)
    page.on("request", on_request)
    page.on("requestfailed", on_failure)
    return complaints


def texts_of(
    page: Any,  # of Playwright
    selector: str,  # CSS
) -> list[str]:
    """What stands in each element, cells apart by tabs; all read at the same moment.

    A locator looks its elements up and reads them afterwards. One that was taken from the page in
    between has lost its layout: its cells are no longer apart.
    """
    read = "(selector) => [...document.querySelectorAll(selector)].map((node) => node.innerText)"
    return page.evaluate(read, selector)


@contextmanager
def opened(
    browser: Any,
    widget: Widget,
    folder: Path,
    *,
    awaited: str = ".plab[data-mounted]",  # what stands on the page once it is ready
    **options: Any,  # of the browser's context
) -> Iterator[Any]:
    "The page of one saved widget. Fails at the end if anything was complained of or asked for"
    path = widget.save(folder / "page.html")
    context = browser.new_context(offline=True, **options)
    try:
        page = context.new_page()
        complaints = watched(page, path.as_uri())
        page.goto(path.as_uri())
        page.wait_for_selector(awaited)
        yield page
    finally:
        context.close()
    assert not complaints, complaints


@contextmanager
def visited(
    browser: Any,
    path: str,  # inside docs/
    **options: Any,  # of the browser's context
) -> Iterator[Any]:
    "A page of the site. Fails at the end if anything was complained of or asked for outside docs/"
    context = browser.new_context(offline=True, **options)
    try:
        page = context.new_page()
        complaints = watched(page, DOCS.as_uri())
        page.goto(f"{DOCS.as_uri()}/{path}", wait_until="load")
        page.wait_for_timeout(300)  # what scripts do after loading
        yield page
    finally:
        context.close()
    assert not complaints, complaints
