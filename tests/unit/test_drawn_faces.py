"""The detector of drawn faces, what it is trained on, and its training."""

import json

import numpy as np
import pytest
import torch

from toonbench.faces_training import training
from toonbench.faces_training.canvas import Camera, Canvas, curve, oval
from toonbench.faces_training.cutouts import SIZE, draw_cutouts, exaggerated, face_boxes
from toonbench.faces_training.material import Material
from toonbench.faces_training.plates import draw_plates
from toonbench.faces_training.restyle import STYLES, restyle
from toonbench.faces_training.scenes import SIDE, Batch, Face, make_batch, make_scene
from toonbench.faces_training.sketches import draw_sketch
from toonbench.faces_training.training import CELLS, Plan, giou, goals, losses, saved_state, train
from toonbench.networks.drawn_faces import (
    CELL,
    DrawnFaceNet,
    Output,
    faces_of,
    find_faces,
    overlap,
    read_weights,
    write_weights,
)
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import neutral
from toonbench.types import ToonbenchError


@pytest.fixture(scope="module")
def material() -> Material:
    drawn = [draw_sketch("test", number) for number in range(6)]
    animal = np.array([False] * 5 + [True])
    return Material(
        frames=np.stack([one.frame for one in drawn]),
        mask=np.stack([one.mask for one in drawn]),
        boxes=np.stack([one.box for one in drawn]),
        chance=np.where(animal, 1.0, 0.2),
        animal=animal,
        plates=draw_plates("test", 10),
    )


# --- the detector ----------------------------------------------------------------------------------------------------


def on_white(number: int) -> tuple[np.ndarray, tuple[float, ...]]:
    one = draw_sketch("held out", number)
    cover = one.mask[..., None] / 255
    return (one.frame * cover + 255 * (1 - cover)).astype(np.uint8), tuple(one.box.tolist())


def test_faces_of_sketches_that_training_does_not_draw_are_found():
    found = 0
    for number in range(12):
        frame, box = on_white(number)
        found += any(overlap(one.box, box) > 0.5 for one in find_faces(frame))
    assert found >= 10


@pytest.mark.parametrize("style", ["cel", "disney3d", "clay", "lineart"])
def test_a_puppets_face_is_found_where_its_landmarks_are(style):
    drawn = render_clip(make_look(style, 4711), neutral()[None], size=256)
    faces = find_faces(drawn.frames[0])
    assert len(faces) == 1
    assert overlap(faces[0].box, face_boxes(drawn.landmarks)[0]) > 0.6


def test_nothing_is_found_where_no_face_is():
    assert [find_faces(plate) for plate in draw_plates("held out", 10)] == [[]] * 10


def test_boxes_are_in_pixels_of_the_frame_that_was_given():
    frame, _ = on_white(3)
    small, large = find_faces(frame)[0], find_faces(np.kron(frame, np.ones((3, 3, 1), np.uint8)))[0]
    assert large.box == pytest.approx([3 * value for value in small.box], rel=0.15)


def test_tiny_and_narrow_frames_are_searched_without_an_error():
    for shape in ((1, 1, 3), (3, 500, 3), (24, 24, 3)):
        assert find_faces(np.zeros(shape, np.uint8)) == []


def test_of_two_boxes_of_one_face_the_surer_one_is_kept():
    score, boxes = torch.zeros(8, 8), torch.zeros(4, 8, 8)
    for (row, column), value in {(1, 1): 0.9, (1, 4): 0.8, (6, 6): 0.7}.items():
        score[row, column] = value
    boxes[:, 1, 1] = boxes[:, 1, 4] = torch.tensor([0.0, 0, 20, 20])
    boxes[:, 6, 6] = torch.tensor([40.0, 40, 60, 60])
    assert [round(one.score, 3) for one in faces_of(score, boxes, least=0.5)] == [0.9, 0.7]


def test_weights_survive_being_written_and_read(tmp_path):
    torch.manual_seed(0)
    network = DrawnFaceNet().eval()
    write_weights(network, tmp_path / "w.safetensors")
    picture = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        before, after = network(picture), read_weights(tmp_path / "w.safetensors")(picture)
    assert torch.allclose(before.heat, after.heat, atol=0.02)
    assert (tmp_path / "w.safetensors").stat().st_size < 3_000_000


def test_weights_of_another_network_are_refused_with_advice(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(ToonbenchError, match="install toonbench again"):
        read_weights(tmp_path / "w.safetensors")


# --- the material ----------------------------------------------------------------------------------------------------


def test_a_sketch_follows_from_its_number_and_shows_its_face_inside_its_box():
    one, again = draw_sketch("test", 1), draw_sketch("test", 1)
    assert np.array_equal(one.frame, again.frame)
    left, top, right, bottom = one.box.astype(int)
    assert one.mask[max(top, 0) : bottom, max(left, 0) : right].mean() > 200


def test_a_puppets_box_reaches_from_above_the_brows_to_the_chin():
    landmarks = render_clip(make_look("cel", 1), neutral()[None], size=SIZE).landmarks
    left, top, right, bottom = face_boxes(landmarks)[0]
    assert bottom == landmarks[0, 8, 1]
    assert top < landmarks[0, 17:27, 1].min() - 10
    assert left == landmarks[0, :17, 0].min()
    assert right == landmarks[0, :17, 0].max()


def test_an_exaggerated_look_can_be_drawn_and_differs():
    look = make_look("cel", 3)
    other = exaggerated(look, np.random.default_rng(0))
    assert other.shape != look.shape
    frames = [render_clip(one, neutral()[None], size=64).frames for one in (look, other)]
    assert not np.array_equal(*frames)


def test_looks_in_other_than_whole_shards_are_refused(tmp_path):
    with pytest.raises(ToonbenchError, match="multiple of 20"):
        draw_cutouts(tmp_path, split="test", looks=7, poses=1)


def test_a_canvas_covers_what_is_drawn_on_it():
    canvas = Canvas(Camera(middle=(0, 0), reach=1, roll=0), side=32, ink=(0, 0, 0), line=0.0)
    canvas.shape(oval(0, 0, 0.5, 0.5), (1.0, 0.0, 0.0))
    picture, cover = canvas.finished()
    assert picture[16, 16].tolist() == [255, 0, 0]
    assert (cover[16, 16], cover[0, 0]) == (255, 0)


def test_a_curve_goes_through_its_knots():
    knots = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    assert [tuple(point) for point in curve(knots)[::6]] == knots


# --- scenes ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_the_same_whenever_it_is_made_and_differs_from_the_next(material):
    first, again, other = (make_batch(material, size=2, seed=1, step=step) for step in (5, 5, 6))
    assert torch.equal(first.pictures, again.pictures)
    assert first.faces == again.faces
    assert not torch.equal(first.pictures, other.pictures)


def test_scenes_have_none_one_or_several_faces_of_both_kinds_with_their_middle_inside(material):
    rng = np.random.default_rng(0)
    scenes = [make_scene(material, rng)[1] for _ in range(150)]
    assert {len(faces) for faces in scenes} >= {0, 1, 2}
    every = [face for faces in scenes for face in faces]
    assert {face.animal for face in every} == {True, False}
    for face in every:
        assert 0 < (face.box[0] + face.box[2]) / 2 < SIDE
        assert 0 < (face.box[1] + face.box[3]) / 2 < SIDE
    heights = [face.box[3] - face.box[1] for face in every]
    assert min(heights) < 30
    assert max(heights) > SIDE


def test_every_restyling_keeps_the_range_and_changes_the_picture():
    random = np.random.default_rng(0)
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for function, _, low, high in STYLES:
        styled = function(x, (low + high) / 2, random).clamp(0, 1)
        assert styled.shape == x.shape
        assert not torch.equal(styled, x), function.__name__
    assert 0 <= restyle(x, random).min() <= restyle(x, random).max() <= 1


# --- training --------------------------------------------------------------------------------------------------------


def test_what_the_network_should_say_is_read_back_as_the_faces():
    faces = (Face((40.0, 30.0, 90.0, 100.0), False), Face((150.0, 150.0, 182.0, 190.0), False))
    aim = goals(Batch(torch.zeros(1, 3, SIDE, SIDE), (faces,)))
    found = faces_of(aim.heat[0, 0], aim.boxes[0], least=0.99)
    assert sorted(one.box for one in found) == [face.box for face in faces]
    assert float(aim.heat[0, 1].max()) == 0
    assert float(aim.weight.sum()) == pytest.approx(2)


def test_the_loss_of_the_right_answer_is_smallest():
    aim = goals(Batch(torch.zeros(1, 3, SIDE, SIDE), ((Face((40.0, 30.0, 90.0, 100.0), False),),)))
    right = Output(heat=(aim.heat * 12 - 6), boxes=torch.where(aim.weight[:, None] > 0, aim.boxes, torch.ones(1)))
    wrong = Output(heat=right.heat.flip(2), boxes=right.boxes + 20)
    low, high = (sum(float(term) for term in losses(one, aim).values()) for one in (right, wrong))
    assert low < 0.2 < high


def test_overlap_is_one_for_equal_boxes_and_negative_for_boxes_far_apart():
    box, far = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[90.0, 90, 100, 100]])
    assert float(giou(box, box)) == pytest.approx(1)
    assert float(giou(box, far)) < -0.9
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)


def test_training_that_was_stopped_resumes_to_the_same_weights(material, tmp_path, monkeypatch):
    plan = Plan(steps=2, batch=2, save_every=1, warmup=1)
    whole = train(material, plan, folder=tmp_path / "whole")

    def stopped(*args, step, **options):
        if step == 1:
            raise KeyboardInterrupt
        return make_batch(*args, step=step, **options)

    with monkeypatch.context() as patched:
        patched.setattr(training, "make_batch", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(material, plan, folder=tmp_path / "parts")
    assert saved_state(plan, tmp_path / "parts").step == 1
    resumed = train(material, plan, folder=tmp_path / "parts").state_dict()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed[name]), name


def test_scenes_that_other_processes_compose_give_the_same_weights(material, tmp_path):
    plans = [Plan(steps=2, batch=2, warmup=1, loaders=loaders) for loaders in (0, 1)]
    one, other = (train(material, plan, folder=tmp_path / str(plan.loaders)).state_dict() for plan in plans)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_several_workers_on_a_gpu_are_refused(material, tmp_path):
    with pytest.raises(ToonbenchError, match="one worker"):
        train(material, Plan(workers=2, device="cuda"), folder=tmp_path)


def test_a_step_of_training_changes_the_network_and_logs_both_terms(material, tmp_path):
    plan = Plan(steps=1, batch=2, warmup=1)
    before = saved_state(plan, tmp_path).network.heat.weight.detach().clone()
    train(material, plan, folder=tmp_path)
    assert set(json.loads((tmp_path / "log.jsonl").read_text())) == {"step", "heat", "box"}
    assert not torch.equal(before, saved_state(plan, tmp_path).network.heat.weight)


def test_the_grid_of_the_heat_map_is_that_of_the_network():
    with torch.inference_mode():
        output = DrawnFaceNet().eval()(torch.zeros(1, 3, SIDE, SIDE))
    assert output.heat.shape == (1, 2, CELLS, CELLS)
    assert output.boxes.shape == (1, 4, CELLS, CELLS)
    assert CELLS * CELL == SIDE
