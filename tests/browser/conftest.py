"""Chromium for the tests of pages: Debian's, driven by Playwright. Without it the tests are skipped, visibly."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from made_site import make_site

MINUTES = 4


def _chromium() -> str:
    """The path of Chromium. In CI, where it may be installed, Debian's is installed if it is missing; otherwise the tests are skipped."""
    if found := shutil.which("chromium") or shutil.which("chromium-browser"):
        return found
    allowed = os.environ.get("CI") or os.environ.get("TOONBENCH_INSTALL_CHROMIUM") == "1"
    if allowed and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        with FileLock(Path(tempfile.gettempdir()) / "toonbench-chromium.lock"):  # test processes run side by side
            return shutil.which("chromium") or _install()
    pytest.skip("chromium is missing: apt-get install chromium (or run as root with TOONBENCH_INSTALL_CHROMIUM=1)")


def _install() -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["sh", "-c", "apt-get update -q && apt-get install -y -q --no-install-recommends chromium"]
    try:
        subprocess.run(command, check=True, env=environment, timeout=60 * MINUTES, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"chromium is missing and could not be installed: {error}")
    return shutil.which("chromium") or pytest.skip("chromium is missing after its package was installed")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install -e '.[dev]'")
    path = _chromium()
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of four methods on three pairs with numbered frames."""
    root = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOONBENCH_CACHE", str(root / "cache"))
        return make_site(root)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """Open a file, with options of a browser context; at the end no page may have had an error or asked for anything but files."""
    contexts, problems = [], []

    def opened(path: Path, address: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else problems.append(one.url))
        page.goto(path.as_uri() + address)
        if path.name == "pairs.html" and options.get("java_script_enabled", True):
            page.locator("body[data-ready=true]").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
