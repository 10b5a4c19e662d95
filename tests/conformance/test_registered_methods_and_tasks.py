"""What every registered method and task must keep, ours or anybody's."""

import numpy as np
import pytest

from toonbench import registry
from toonbench.tasks import draw_pairs
from toonbench.tasks.lock import _catalogue
from toonbench.types import DOMAINS, Method, TargetMethod

SOURCE = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
DRIVING = np.random.default_rng(1).integers(0, 255, (3, 80, 64, 3), np.uint8)


@pytest.fixture(params=registry.names("methods"))
def method(request):
    return registry.load_method(request.param)


def animate(method, source=SOURCE, driving=DRIVING, *, seed=1, motion="relative", domains=("cartoon", "real")):
    if isinstance(method, TargetMethod):
        target = np.stack([np.roll(source, t, 1) for t in range(len(driving))])
        return method.animate_target(source, target, seed=seed)
    return method.animate(
        source, driving, motion=motion, seed=seed, source_domain=domains[0], driving_domain=domains[1]
    )


def test_a_method_has_a_name_a_revision_and_a_description(method):
    assert isinstance(method, Method | TargetMethod)
    assert method.name in registry.names("methods")
    assert method.revision
    assert type(method).__doc__


@pytest.mark.parametrize("motion", ["relative", "absolute"])
@pytest.mark.parametrize("domains", [(a, b) for a in DOMAINS for b in DOMAINS], ids="-".join)
def test_a_method_gives_a_frame_for_every_driving_frame_in_the_sources_size(method, motion, domains):
    frames = animate(method, motion=motion, domains=domains)
    assert frames.dtype == np.uint8
    assert frames.shape == (3, 64, 96, 3)


def test_one_driving_frame_is_enough(method):
    assert animate(method, driving=DRIVING[:1]).shape == (1, 64, 96, 3)


def test_the_same_seed_gives_the_same_frames(method):
    assert np.array_equal(animate(method), animate(method))


def test_a_method_leaves_its_inputs_alone(method):
    source, driving = SOURCE.copy(), DRIVING.copy()
    animate(method, source, driving)
    assert np.array_equal(source, SOURCE)
    assert np.array_equal(driving, DRIVING)


def test_read_only_inputs_are_accepted(method):
    source, driving = SOURCE.copy(), DRIVING.copy()
    source.flags.writeable = driving.flags.writeable = False
    assert len(animate(method, source, driving)) == 3


@pytest.mark.parametrize("name", registry.names("tasks"))
def test_a_task_draws_unique_pairs_of_its_domains_and_names_known_metrics(name):
    task = registry.load_task(name)
    assert task.name == name
    assert task.about
    assert all(registry.load_metric(metric) for metric in task.metrics)
    pairs = draw_pairs(task, _catalogue())
    assert len({pair.id for pair in pairs}) == len(pairs) > 0
    assert all(pair.source.domain == task.source and pair.driving.domain == task.driving for pair in pairs)
    assert all("/" not in pair.id for pair in pairs)
