"""The log of a training as TensorBoard event files."""

import json
import sys

import pytest

from toonbench import cli
from toonbench.training.grids import write_grid
from toonbench.training.log import Clock, append_log
from toonbench.training.tensorboard import mirrored, unchanged
from toonbench.types import ToonbenchError

Event = pytest.importorskip("tensorboardX.proto.event_pb2").Event


def events(folder):
    """(tag, step, value) of all scalars, and (tag, step) of all pictures."""
    scalars, pictures = [], []
    (path,) = (folder / "tensorboard").iterdir()
    content = path.read_bytes()
    while content:
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]
        for value in event.summary.value:
            if value.HasField("simple_value"):
                scalars.append((value.tag, event.step, round(value.simple_value, 6)))
            else:
                pictures.append((value.tag, event.step, value.image.width))
    return scalars, pictures


def steps(folder, first, last, progress):
    import numpy as np

    for step in range(first, last + 1):
        append_log(folder, {"step": step, "stage": 1, "loss": 0.5 * step})
        write_grid(folder, np.zeros((4, 6, 3), np.uint8), step=step)
        progress(step, last)


def test_the_event_files_hold_every_line_and_picture_once_also_after_a_resumed_run(tmp_path):
    shown = []
    for first, last in ((1, 2), (3, 5)):
        with mirrored(tmp_path) as watched:
            steps(tmp_path, first, last, watched(lambda done, total: shown.append(done)))
    assert shown == [1, 2, 3, 4, 5]
    assert events(tmp_path) == (
        [("loss", step, 0.5 * step) for step in range(1, 6)],
        [("samples", step, 6) for step in range(1, 6)],
    )


def test_times_are_scalars_and_a_line_that_is_not_complete_waits(tmp_path):
    with mirrored(tmp_path) as watched:
        append_log(tmp_path, {"step": 1, "loss": 1.0})
        Clock(0, 4).append(tmp_path, step=1)
        with (tmp_path / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": 2, "loss": 2.0})[:9])
        watched(unchanged(lambda done, total: None))(1, 4)
    scalars, _ = events(tmp_path)
    assert [tag for tag, _, _ in scalars] == ["loss", "seconds_per_step", "seconds_left"]


def test_the_command_writes_event_files_beside_the_checkpoints(tmp_path, monkeypatch):
    class Quick:
        @classmethod
        def train(cls, clips, out, *, config, device, resume, on_progress):
            steps(out, 1, 2, on_progress)

    monkeypatch.setattr("toonbench.registry.load", lambda group, name: Quick)
    monkeypatch.setattr("toonbench.commands.train._clips", lambda *_, **__: {})
    arguments = ["train", "--data", "d", "--out", str(tmp_path), "--device", "cpu", "-q"]
    assert cli.run(arguments) == 0
    assert not (tmp_path / "tensorboard").exists()
    (tmp_path / "log.jsonl").unlink()
    assert cli.run([*arguments, "--tensorboard"]) == 0
    assert len(events(tmp_path)[0]) == 2


def test_a_run_that_ends_before_its_first_step_leaves_the_event_files_as_they_were(tmp_path):
    append_log(tmp_path, {"step": 9, "loss": 1.0})
    with mirrored(tmp_path):
        pass
    assert not (tmp_path / "tensorboard").exists()
    with mirrored(tmp_path) as watched:
        watched(unchanged(lambda done, total: None))(9, 9)
    (before,) = (tmp_path / "tensorboard").iterdir()
    with mirrored(tmp_path):
        pass
    assert [*(tmp_path / "tensorboard").iterdir()] == [before]


def test_files_of_others_beside_event_files_and_samples_stay_and_are_not_shown(tmp_path):
    for name in ("tensorboard", "samples"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "holiday.png").write_text("not a picture")
    with mirrored(tmp_path) as watched:
        steps(tmp_path, 1, 1, watched(lambda done, total: None))
    assert (tmp_path / "tensorboard" / "holiday.png").is_file()
    (tmp_path / "tensorboard" / "holiday.png").unlink()
    assert events(tmp_path) == ([("loss", 1, 0.5)], [("samples", 1, 6)])


def test_without_its_package_the_error_shows_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ToonbenchError, match=r"pip install 'toonbench\[tensorboard\]'"), mirrored(tmp_path):
        pass
