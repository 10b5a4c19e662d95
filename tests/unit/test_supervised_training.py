"""The training loop of networks that learn from batches with targets."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from toonbench.reader_training.training import Plan as ReaderPlan
from toonbench.training import supervised
from toonbench.training.supervised import Training, new_network, run, state_in
from toonbench.types import ToonbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(supervised.Plan):
    steps: int = 5
    batch: int = 4
    workers: int = 1
    rate: float = 0.1
    warmup: int = 2
    save_every: int = 2
    log_every: int = 1


def network():
    return nn.Conv2d(1, 1, 1)


def make_batch(*, size, seed, step):
    return torch.from_numpy(np.random.default_rng([seed, step]).random((size, 1, 2, 2), np.float32))


def terms(network, batch):
    return {"distance": (network(batch) - 3 * batch).abs().mean(), "level": network(batch).mean().square()}


def trained(folder, plan, *, make_batch=make_batch):
    def begin():
        return state_in(folder, new_network(network, seed=plan.seed), plan, may_change=("log_every",))

    return run(Training(plan=plan, folder=folder, begin=begin, make_batch=make_batch, terms=terms))


def test_a_run_that_was_stopped_and_resumed_leaves_the_files_of_an_unbroken_one(tmp_path):
    def stopped(*, step, **options):
        if step == 3:
            raise KeyboardInterrupt
        return make_batch(step=step, **options)

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trained(whole, Plan())
    with pytest.raises(KeyboardInterrupt):
        trained(parts, Plan(), make_batch=stopped)
    assert len((parts / "log.jsonl").read_text().splitlines()) == 3  # one more than the checkpoint holds
    trained(parts, Plan())
    for name in ("checkpoint.pt", "checkpoint-previous.pt", "log.jsonl"):
        assert (whole / name).read_bytes() == (parts / name).read_bytes(), name


def test_what_a_run_returns_is_the_average_and_not_the_last_weights(tmp_path):
    average = trained(tmp_path, Plan()).state_dict()
    stored = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert all(torch.equal(value, stored["average"][name]) for name, value in average.items())
    assert not torch.equal(average["weight"], stored["network"]["weight"])


def test_only_the_fields_that_may_change_can_differ_from_the_checkpoints(tmp_path):
    trained(tmp_path, Plan())
    trained(tmp_path, Plan(log_every=3))
    with pytest.raises(ToonbenchError, match=r"trained with rate = 0\.1, but rate is 0\.2 now"):
        trained(tmp_path, Plan(rate=0.2))


def test_the_weights_before_the_first_step_follow_from_the_seed_alone():
    torch.manual_seed(1)
    first = new_network(network, seed=7).weight
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert torch.equal(first, new_network(network, seed=7).weight)
    assert not torch.equal(first, new_network(network, seed=8).weight)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_rate_warms_up_linearly_and_falls_to_nothing():
    plan = Plan(steps=12, warmup=2)
    assert [plan.rate_at(step) for step in (0, 1, 2, 7, 12)] == pytest.approx([0.05, 0.1, 0.1, 0.05, 0.0])


def test_the_readers_rate_stays_high_for_longer_and_then_falls_to_nothing():
    plan = ReaderPlan(steps=100, warmup=10, rate=1.0)
    assert [plan.rate_at(step) for step in (4, 10, 80, 100)] == pytest.approx([0.5, 1.0, 0.25, 0.0])


def test_a_batch_that_the_processes_cannot_share_evenly_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ToonbenchError, match="batch is 4, which 3 workers cannot share evenly"):
        trained(tmp_path / "out", Plan(workers=3))
    assert not (tmp_path / "out").exists()
