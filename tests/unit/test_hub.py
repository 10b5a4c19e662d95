"""The parts of publishing that need no server: addresses, layout, limits, cards, and files for the Hub's leaderboards."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from made_data import write_data
from toonbench import registry
from toonbench.data.folder import load
from toonbench.data.table import CLIPS, TARGETS
from toonbench.hub import client, data_card, release
from toonbench.hub.address import Address, checked_revision, parse
from toonbench.hub.dataset import Statements, prepare_dataset
from toonbench.hub.eval_files import METRICS, TASKS, eval_yaml
from toonbench.hub.layout import lay_out
from toonbench.hub.release import MARK, ReleaseFile, batches, release_of
from toonbench.hub.texts import forbids_sharing, licence_lines, states_licence
from toonbench.types import ToonbenchError
from toonbench.video import iter_frames, probe


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf:acme/pup", Address("acme/pup")),
        ("hf:acme/pup@v1", Address("acme/pup", "", "v1")),
        ("hf:acme/mini/a/b.safetensors@0f", Address("acme/mini", "a/b.safetensors", "0f")),
    ],
)
def test_addresses_have_a_repository_a_file_and_a_revision(text, address):
    assert parse(text) == address
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "hf:",
        "hf:acme",
        "hf:acme/x@",
        "hf:acme/x@a..b",
        "hf:acme/x/../y",
        "hf:/x/y",
        "hf:acme/x@-v",
        "hf:ac me/x",
        "hf:acme/é",
    ],
)
def test_wrong_addresses_are_refused(text):
    with pytest.raises(ToonbenchError, match=r"cannot be|points outside"):
        parse(text)


def test_a_revision_may_be_a_branch_with_a_slash():
    assert checked_revision("release/2026-01") == "release/2026-01"


def rows_of(count, *, kind="video"):
    folder, ending = ("clips", "mkv") if kind == "video" else ("images", "png")
    return [{"id": f"{kind}{n:03d}", "file": f"{folder}/{kind}{n:03d}.{ending}", "kind": kind} for n in range(count)]


def test_small_sets_keep_their_paths_and_large_folders_are_divided():
    rows = rows_of(5) + rows_of(2, kind="image")
    small = lay_out(rows, [], motions=["video000"], limit=5)
    assert [row["file"] for row in small.rows] == [row["file"] for row in rows]
    assert small.motions == {"video000": "motion/video000.npz"}
    large = lay_out(rows, [], motions=[row["id"] for row in rows], limit=2)
    assert [row["file"] for row in large.rows][:5] == [f"clips/{n // 2:04d}/video{n:03d}.mkv" for n in range(5)]
    counts = {}
    for path in (*large.sources, *large.motions.values(), *large.previews.values()):
        counts[path.rpartition("/")[0]] = counts.get(path.rpartition("/")[0], 0) + 1
    assert max(counts.values()) == 2
    assert large.previews["clips/0002/video004.mkv"] == "previews/0002/video004.mp4"
    assert large.sources["clips/0002/video004.mkv"] == "clips/video004.mkv"


def test_names_that_differ_in_case_or_folder_stay_different_files():
    rows = [
        {"id": one, "file": f"{at}/x.mkv", "kind": "video"}
        for at, one in enumerate(("A", "a", "<b>😀</b>", "<i>😀</i>"))
    ]
    found = lay_out(rows, [], motions=[])
    paths = [row["file"] for row in found.rows]
    assert len({path.lower() for path in paths}) == 4
    assert all(path.isascii() and "<" not in path for path in paths)
    assert len(set(found.previews.values())) == 4


def test_a_divided_release_is_the_same_data_set(tmp_path, monkeypatch):
    root = write_data(tmp_path / "blobs", videos=2, images=1, size=32)
    for row in CLIPS.read(root):
        (root / "motion").mkdir(exist_ok=True)
        np.savez(root / "motion" / f"{row['id']}.npz", rig=np.zeros(3))
    monkeypatch.setattr("toonbench.hub.layout.FOLDER", 1)
    monkeypatch.setattr("toonbench.hub.layout.lay_out.__kwdefaults__", {"limit": 1})
    monkeypatch.setattr("toonbench.hub.dataset.plots", lambda rows: b"plots")
    made = prepare_dataset(load(root), tmp_path / "out", repo="a/b", statements=Statements(consent="They agreed."))
    one, other = load(root), load(tmp_path / "out")
    assert other.id == one.id
    assert other.fingerprint == one.fingerprint
    assert all(clip.path.parent.name == "0000" or clip.path.parent.parent != other.root for clip in other.clips)
    assert [clip.motion.read_bytes() for clip in other.clips] == [clip.motion.read_bytes() for clip in one.clips]
    assert release.fullest_folder([file for file in made.files if "/" in file.path])[1] == 1
    card = (tmp_path / "out" / "README.md").read_text()
    assert '"clips/0000/*"' in card
    assert "They agreed." in card
    preview = tmp_path / "out" / "previews" / "0000" / "real-video-0.mp4"
    assert probe(preview).codec == "h264"
    shown, exact = (
        next(iter(iter_frames(preview))).astype(int),
        next(iter(iter_frames(root / "clips/real-video-0.mkv"))).astype(int),
    )
    assert abs(shown.mean() - exact.mean()) < 3


def test_a_release_of_a_release_has_the_same_card(tmp_path, monkeypatch):
    root = write_data(tmp_path / "blobs", videos=1, images=0, targets=False, size=32)
    (root / "README.md").write_text("---\nx: 1\n---\n\n# Blobs\n\nDrawn.\n\n## Notes\n\nNone.\n")
    monkeypatch.setattr("toonbench.hub.dataset.plots", lambda rows: b"plots")
    prepare_dataset(load(root), tmp_path / "one", repo="a/b")
    prepare_dataset(load(tmp_path / "one"), tmp_path / "two", repo="a/b")
    card = (tmp_path / "one" / "README.md").read_text()
    assert "### Blobs\n\nDrawn.\n\n#### Notes" in card
    assert (tmp_path / "two" / "README.md").read_text() == card


def made_files(count, size=1):
    return [ReleaseFile(f"clips/{n}.mkv", None, size, "") for n in range(count)]


def test_commits_stay_below_their_limits_and_tables_are_last():
    files = [
        *made_files(150),
        ReleaseFile("README.md", None, 1, ""),
        ReleaseFile(MARK, None, 1, ""),
        ReleaseFile("a.parquet", None, 1, ""),
    ]
    found = list(batches(files))
    assert [len(batch) for batch in found] == [100, 53]
    assert found[0][0].path == MARK
    assert [one.path for one in found[-1][-2:]] == ["README.md", "a.parquet"]
    assert [len(batch) for batch in batches(made_files(5, size=900_000_000))] == [2, 2, 1]


def test_a_release_beyond_the_limits_of_the_hub_is_refused(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    for limit, value, words in (
        ("REPOSITORY", 2, "4 files are more"),
        ("FILE", 0, "cut them into shorter"),
        ("MOST", 2, r"\./ has 4 files"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(release, limit, value)
            with pytest.raises(ToonbenchError, match=words):
                release_of(tmp_path, what="site", name="x")


def test_puppets_of_the_real_domain_are_no_persons():
    row = {"domain": "real", "kind": "image", "provenance": "toonbench puppets version 2"}
    assert not data_card.has_persons([row])
    assert data_card.has_persons([row, {"domain": "real", "kind": "image", "provenance": "filmed"}])
    assert not data_card.has_persons([{"domain": "cartoon", "kind": "image"}])


def test_a_card_has_counts_licences_persons_and_misuse():
    rows = [
        {"id": str(n), "domain": "real", "kind": "video", "split": "train" if n else "test", "identity": f"p{n // 2}", "frames": 50,
         "fps": 25.0, "licence": "CC-BY-4.0" if n else "CC0-1.0", "title": "t|<b>"}
        for n in range(5)
    ]  # fmt: skip
    facts = data_card.Facts(
        rows=rows, targets=[], repo="a/b", name="n", fingerprint="f" * 64, about="---\nx: 1\n---\n\n# Mine\n\nText.\n"
    )
    text = data_card.card_text(facts)
    assert "| train | real | 4 | 0 | 3 | 200 | 8 |" in text
    assert "| CC-BY-4.0 | t\\|\\<b\\> | 4 |" in text
    assert "5 clips show the faces of 3 real persons" in text
    assert data_card.UNSTATED in text
    assert "## Misuse" in text
    assert "### Mine\n\nText." in text
    front = yaml.safe_load("\n".join(data_card.front_lines(rows, gated=True)))
    assert "I agree to these conditions" in front["extra_gated_fields"]
    asked = yaml.safe_load("\n".join(data_card.front_lines([{"domain": "cartoon", "kind": "image"}], gated=True)))
    assert "extra_gated_prompt" not in asked
    assert "Name" in asked["extra_gated_fields"]
    assert data_card.plots(rows) == data_card.plots(rows), "the same clips give the same plots"
    assert data_card.plots(rows)[:4] == b"\x89PNG"


def test_the_tasks_of_the_hubs_leaderboards_have_metrics_of_which_larger_is_better(tiny_data):
    found = yaml.safe_load(eval_yaml(load(tiny_data)))
    ids = [task["id"] for task in found["tasks"]]
    assert len(set(ids)) == len(ids) == len(TASKS) * len(METRICS) <= 6
    assert {task["split"] for task in found["tasks"]} == {"test"}
    assert all(registry.load_metric(f"{name}@1").higher_is_better for name in METRICS)


def test_a_set_without_pairs_has_no_tasks_on_the_hub(tmp_path):
    root = write_data(tmp_path / "alone", videos=1, images=0, targets=False)
    assert eval_yaml(load(root)) == ""
    assert not TARGETS.is_in(root)


def test_tokens_and_signatures_of_a_servers_message_are_not_shown():
    text = "bad hf_abcDEF123 at https://x/y?X-Amz-Signature=00ff&b=1&token=secret"
    safe = client._safe(text)
    assert "abcDEF123" not in safe
    assert "00ff" not in safe
    assert "secret" not in safe
    assert "b=1" in safe


def test_a_licence_has_a_name_that_the_hub_takes():
    assert licence_lines("Apache-2.0") == ["license: apache-2.0"]
    assert licence_lines("Ours: <b> 2\n😀") == ["license: other", 'license_name: "ours-b-2"']
    assert licence_lines("😀") == ["license: other", 'license_name: "other"']


@pytest.mark.parametrize("text", ["", " ", "?", "-", "N/A", "Unknown", "not_stated", "No license", "TBD"])
def test_a_word_for_no_licence_is_none(text):
    assert not states_licence(text)


def test_a_licence_that_keeps_all_rights_forbids_sharing():
    assert forbids_sharing("© 1999 Studio. All Rights Reserved.")
    assert forbids_sharing("Proprietary")
    assert not any(map(forbids_sharing, ("CC-BY-4.0", "mit", "unknown", "Research only, on request")))


def test_without_the_client_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ToonbenchError, match=r"pip install 'toonbench\[hub\]'"):
        client.hub_api()


def test_the_limits_in_the_documentation_are_those_of_the_code():
    text = (Path(__file__).parent.parent.parent / "docs" / "publishing.md").read_text()
    for line in (
        f"| files in a commit | {release.COMMIT} |",
        f"| bytes in a commit | {release.COMMIT_BYTES / 1e9:.0f} GB,",
        f"| files in a folder of a data set | {release.FOLDER:,} | toonbench; the Hub's limit is {release.MOST:,} |",
        f"| files in a repository | {release.REPOSITORY:,} |",
        f"| bytes of a file | {release.FILE / 1e9:.0f} GB |",
    ):
        assert line in text
