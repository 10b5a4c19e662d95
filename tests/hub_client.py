"""The real client of the Hub in this process, pointed at the local server (`hub_server`)."""

from contextlib import contextmanager

from hub_server import TOKEN, serve
from toonbench.hub import fetch


@contextmanager
def pointed_client(monkeypatch, folder):
    """The server, while the block runs. The client has a valid token, and its caches in `folder` are empty."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    with serve() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.delenv("HF_HUB_DISABLE_XET", raising=False)  # toonbench itself turns the other protocol off
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hf"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("TOONBENCH_CACHE", str(folder / "cache"))
        fetch.data_folder.cache_clear()
        fetch.weights_file.cache_clear()
        close_session()
        yield hub
        close_session()
