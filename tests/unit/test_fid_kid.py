"""fid and kid: the packages' values, any order and chunking, files of many clips, and too little to measure."""

import math
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from toonbench import weights
from toonbench.metrics import kid
from toonbench.metrics.fid import FID, FLOOR
from toonbench.metrics.kid import APART, KID
from toonbench.networks import inception
from toonbench.networks.deterministic import deterministic_state
from toonbench.stats import frechet as frechet_module
from toonbench.stats import intervals
from toonbench.stats.frechet import Frechet
from toonbench.stats.pooled import Pooled, pool
from toonbench.types import Clip, Pair, Sample, ToonbenchError

CLIP = Clip(id="clip", path=Path("clip"), domain="real")
WIDTH = 24


def features(seed, *, rows=60, width=WIDTH, offset=0.0):
    """Correlated, not negative, float32: as the network's."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(6, width)) / 3
    values = rng.normal(size=(rows, 6)) @ mix + rng.normal(size=(rows, width)) / 2
    return np.maximum(values + 0.3 + offset, 0).astype(np.float32)


def clips(seed, *, count=12, offset=0.0, width=WIDTH):
    """The rows of clips of several lengths."""
    return [features(seed + i, rows=3 + i % 5, offset=offset, width=width) for i in range(count)]


def package_fid(rows, reference):
    from pytorch_fid.fid_score import calculate_frechet_distance

    a, b = np.concatenate(rows).astype(np.float64), np.concatenate(reference).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def plain_kid(rows, reference):
    """The formula, a pair of rows at a time."""
    x, y = np.concatenate(rows).astype(np.float64), np.concatenate(reference).astype(np.float64)

    def mean(a, b, *, same):
        values = [
            (sum(p * q for p, q in zip(one, other, strict=True)) / len(one) + 1) ** 3
            for i, one in enumerate(a)
            for j, other in enumerate(b)
            if not (same and i == j)
        ]
        return math.fsum(values) / len(values)

    return mean(x, x, same=True) + mean(y, y, same=True) - 2 * mean(x, y, same=False)


def every_way(value):
    """FID by way of eigenvalues, singular values of the rows, or of the reference."""
    return pytest.mark.parametrize("way", ["_on_reference", "_on_rows", "_by_eigenvalues"], indirect=True)(value)


@pytest.fixture
def way(request, monkeypatch):
    """Sends all distances one way: each is right for sets of any size, and chosen for its speed."""
    monkeypatch.setattr(Frechet, "_on_reference", getattr(Frechet, request.param))
    return request.param


@pytest.fixture(params=[FID, KID], ids=["fid", "kid"])
def metric(request):
    return request.param()


@every_way
@pytest.mark.parametrize("counts", [(60, 40), (12, 300), (300, 12), (2, 5), (29, 40), (500, 400)])
def test_fid_is_what_pytorch_fid_computes_from_the_same_features(counts, way):
    rows, reference = [features(0, rows=counts[0])], [features(1, rows=counts[1], offset=0.2)]
    scale = sum(float(one[0].var(axis=0).sum()) for one in (rows, reference))
    assert FID().reduce(rows, reference) == pytest.approx(package_fid(rows, reference), abs=2e-6 * scale)


@pytest.mark.parametrize(
    ("counts", "taken"), [((60, 9), "_on_reference"), ((9, 60), "_on_rows"), ((60, 60), "_by_eigenvalues")]
)
def test_the_quickest_way_is_taken(counts, taken, monkeypatch):
    monkeypatch.setattr(frechet_module, "FEW", 20)
    others = {"_on_reference", "_on_rows", "_by_eigenvalues"} - {taken}
    for other in others:
        monkeypatch.setattr(Frechet, other, lambda self, groups: pytest.fail("another way"))
    assert math.isfinite(FID().reduce([features(0, rows=counts[0])], [features(1, rows=counts[1])]))


@pytest.mark.parametrize("rows", [40, 300])
def test_the_same_set_twice_has_a_distance_of_exactly_0(rows):
    reference = [features(0, rows=rows)]
    assert FID().reduce(reference, reference) == 0
    assert FID().reduce([reference[0][::-1]], reference) == 0


def test_a_shift_counts_its_square():
    reference = features(0, rows=100)
    assert FID().reduce([reference + np.float32(0.5)], [reference]) == pytest.approx(WIDTH * 0.25, rel=1e-6)


def test_kid_is_its_formula_written_out():
    rows, reference = clips(0, count=5), clips(50, count=4, offset=0.1)
    assert KID().reduce(rows, reference) == pytest.approx(plain_kid(rows, reference), rel=1e-10)


def test_kid_of_tiny_features_keeps_its_digits():
    tiny = [features(seed, rows=30).astype(np.float64) * 1e-5 for seed in (0, 1)]
    x, y = tiny
    linear = [(a @ b.T) / WIDTH for a, b in ((x, x), (y, y), (x, y))]  # the kernel is 1 + 3 v but for 1e-10 of it
    off = [3 * (one.sum() - np.trace(one)) / (30 * 29) for one in linear[:2]]
    assert KID().reduce(tiny[:1], tiny[1:]) == pytest.approx(sum(off) - 6 * linear[2].mean(), rel=1e-7)


def test_kid_is_unbiased_and_so_sometimes_below_0():
    values = [KID().reduce([features(2 * s, rows=20)], [features(2 * s + 1, rows=20)]) for s in range(200)]
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))


def alike(seed, *, count=8, frames=10):
    """Clips whose frames are nearly one picture, and which are independent of each other."""
    rng, pictures = np.random.default_rng(seed + 1000), features(seed, rows=count)
    return [one + rng.normal(size=(frames, WIDTH)).astype(np.float32) / 50 for one in pictures]


def test_frames_of_one_clip_raise_kid_and_not_the_number_that_leaves_their_pairs_out():
    metric, found = KID(), []
    for seed in range(0, 4000, 10):
        rows, images = alike(seed), list(features(seed + 1, rows=40)[:, None])
        found.append([metric.reduce(rows, images), metric.details(rows, images)[APART]])
    (standard, apart), errors = np.mean(found, axis=0), np.std(found, axis=0) / math.sqrt(len(found))
    assert standard > 10 * errors[0]
    assert abs(apart) < 3 * errors[1]


def test_kid_without_pairs_of_one_clip_is_its_formula_written_out():
    rows, reference = clips(0, count=5), clips(50, count=4, offset=0.1)

    def across(some, others):  # mean over pairs of rows of different clips
        values = [(a.astype(float) @ b.T.astype(float) / WIDTH + 1) ** 3 for a in some for b in others if a is not b]
        return math.fsum(np.concatenate([one.ravel() for one in values])) / sum(one.size for one in values)

    wanted = across(rows, rows) + across(reference, reference) - 2 * across(rows, reference)
    assert KID().details(rows, reference)[APART] == pytest.approx(wanted, rel=1e-10)
    single = [one[:1] for one in rows]
    images = [one[:1] for one in reference]
    assert KID().details(single, images)[APART] == pytest.approx(KID().reduce(single, images), rel=1e-10)


@pytest.mark.parametrize(("count", "images"), [(1, 4), (4, 1), (0, 4), (4, 0)])
def test_one_clip_on_either_side_has_no_number_without_pairs_of_one_clip(count, images):
    assert math.isnan(KID().details(clips(0, count=count), clips(50, count=images))[APART])


def test_what_was_reduced_is_not_computed_again_for_the_details(monkeypatch):
    rows, reference, metric = clips(0), clips(1300), KID()
    metric.leave_out([rows[5:9], rows[:5], rows[9:]], reference)
    wanted = KID().details(rows, reference)
    monkeypatch.setattr(kid, "_kernel_sum", lambda one, other: pytest.fail("computed again"))
    assert metric.details(rows, reference) == pytest.approx(wanted, rel=1e-11)
    with pytest.raises(pytest.fail.Exception):
        metric.details(rows[1:], reference)


def test_kid_is_what_the_mean_over_subsets_estimates():
    rows, reference = features(0, rows=60), features(1, rows=50, offset=0.3)
    rng = np.random.default_rng(0)
    subsets = [
        KID().reduce([rows[rng.choice(60, 20, replace=False)]], [reference[rng.choice(50, 20, replace=False)]])
        for _ in range(400)
    ]
    error = np.std(subsets) / math.sqrt(len(subsets))
    assert np.mean(subsets) == pytest.approx(KID().reduce([rows], [reference]), abs=4 * error)


def test_the_further_the_features_the_greater_the_number(metric):
    reference = clips(100)
    values = [metric.reduce(clips(0, offset=offset), reference) for offset in (0, 0.2, 0.4, 0.8)]
    assert values == sorted(values)
    assert values[3] > 2 * values[1]


@every_way
def test_the_order_of_pairs_frames_and_reference_images_does_not_matter(metric, way):
    rows, reference = clips(0), clips(100)
    turned = [one[::-1] for one in rows[::-1]]
    assert metric.reduce(turned, reference[::-1]) == pytest.approx(metric.reduce(rows, reference), rel=1e-11)
    details = [metric.details(*both) for both in ((rows, reference), (turned, reference[::-1]))]
    assert details[0] == pytest.approx(details[1], rel=1e-11)


@every_way
def test_the_size_of_blocks_does_not_matter(metric, way, monkeypatch):
    rows, reference = clips(0), clips(100)
    wanted = metric.reduce(rows, reference)
    monkeypatch.setattr(Pooled.blocks, "__defaults__", (7,))
    monkeypatch.setattr(kid, "OUTER", 11)
    assert type(metric)().reduce(rows, reference) == pytest.approx(wanted, rel=1e-11)


def test_rows_in_files_give_what_rows_in_memory_give(metric, tmp_path):
    rows, reference = clips(0), clips(100)
    for number, one in enumerate(rows):
        np.save(tmp_path / f"{number:02}.npy", one)
    mapped = [np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(tmp_path.iterdir())]
    assert metric.reduce(mapped, reference) == metric.reduce(rows, reference)


def test_memory_does_not_grow_with_the_number_of_clips(metric, tmp_path):
    np.save(tmp_path / "clip.npy", features(0, rows=300, width=128))
    reference = [features(1, rows=20, width=128)]

    def peak(clips):
        rows = [np.load(tmp_path / "clip.npy", mmap_mode="r", allow_pickle=False) for _ in range(clips)]
        tracemalloc.start()
        metric.leave_out([rows[:3], rows[3:]], reference)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(20), peak(60)
    assert many - few < 0.2 * 40 * 300 * 128 * 4  # of what the further clips hold


@every_way
def test_rows_that_were_not_measured_are_left_out(metric, way):
    rows, reference = clips(0), clips(100)
    holed = [one.copy() for one in rows]
    holed[3] = np.insert(holed[3], [0, 2], np.nan, axis=0)
    failed_pair = np.full((4, 1), np.nan, np.float32)  # a failure is stored with one value a frame
    padded = [failed_pair, *holed, np.empty((0, 1), np.float32)]
    assert metric.reduce(padded, [*reference, failed_pair]) == pytest.approx(metric.reduce(rows, reference), rel=1e-12)
    assert metric.details(padded, reference)["frames"] == sum(map(len, rows))


@pytest.mark.parametrize("counts", [(0, 9), (1, 9), (9, 1), (9, 0), (0, 0)])
def test_fewer_than_two_rows_on_either_side_have_no_number(metric, counts):
    rows, reference = (features(0)[:count] for count in counts)
    assert math.isnan(metric.reduce([rows], [reference]))
    assert math.isnan(metric.reduce([], [reference]))
    assert math.isnan(metric.reduce([rows]))
    assert metric.details([rows], [reference])["reference images"] == counts[1]


@every_way
def test_features_that_never_change_have_a_finite_distance(way):
    still = np.repeat(features(0, rows=1), 70, axis=0)
    reference = [features(1)]
    assert FID().reduce([still], [still]) == 0
    wanted = np.square(still[0] - reference[0].mean(0)).sum() + reference[0].var(axis=0, ddof=1).sum()
    assert FID().reduce([still], reference) == pytest.approx(wanted, rel=1e-6)
    assert math.isfinite(KID().reduce([still], reference))


@every_way
def test_few_different_frames_repeated_often_do_not_add_up_rounding(way):
    repeated, reference = np.repeat(features(0, rows=3, width=200), 50, axis=0), features(1, rows=120, width=200)
    a, b = repeated.astype(np.float64), reference.astype(np.float64)
    a, b = ((one - one.mean(0)) / math.sqrt(len(one) - 1) for one in (a, b))
    wanted = np.square(repeated.astype(np.float64).mean(0) - reference.astype(np.float64).mean(0)).sum()
    wanted += np.square(a).sum() + np.square(b).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False)[:2].sum()
    assert FID().reduce([repeated], [reference]) == pytest.approx(wanted, rel=1e-8)


def test_features_of_two_networks_are_told_apart(metric):
    other = [features(0, width=WIDTH + 1)]
    for rows, reference in ((clips(0), other), ([*clips(0), *other], clips(9))):
        with pytest.raises(ToonbenchError, match=r"24 .*25") as error:
            metric.reduce(rows, reference)
        assert "\n" not in str(error.value)


@every_way
@pytest.mark.parametrize("width", [24, 200])
def test_leaving_out_each_group_gives_what_reducing_the_others_gives(metric, way, width):
    rows, reference = clips(0, width=width), [features(200, rows=40, width=width)]
    lost = np.full((3, 1), np.nan, np.float32)
    groups = [rows[:1], rows[1:3], [lost], rows[3:9], rows[9:]]
    value, without = metric.leave_out(groups, reference)
    everything = [one for group in groups for one in group]
    assert value == pytest.approx(metric.reduce(everything, reference), rel=1e-9, abs=1e-12)
    for left_out, found in enumerate(without):
        others = [one for at, group in enumerate(groups) if at != left_out for one in group]
        assert found == pytest.approx(metric.reduce(others, reference), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_few_groups_or_too_little_without_one_are_no_error(metric, number):
    groups = [[features(at, rows=2)] for at in range(number)]
    value, without = metric.leave_out(groups, clips(100))
    assert math.isfinite(value)
    assert len(without) == number
    assert [math.isnan(one) for one in without] == [number == 1] * number


def test_the_interval_is_the_same_with_groups_reduced_at_once(metric):
    rows, reference, labels = clips(0, count=30), clips(100), [f"driver{i % 9}" for i in range(30)]
    slow = intervals.grouped_jackknife(rows, labels, lambda some: metric.reduce(some, reference))
    quick = intervals.grouped_jackknife(
        rows,
        labels,
        lambda some: pytest.fail("reduced a subset"),
        reduce_groups=lambda groups: metric.leave_out(groups, reference),
    )
    assert (quick.value, quick.low, quick.high) == pytest.approx((slow.value, slow.low, slow.high), rel=1e-8)
    assert quick.clusters == slow.clusters == 9


def test_the_reference_is_decomposed_once_for_all_methods(monkeypatch):
    decomposed = []
    monkeypatch.setattr("toonbench.metrics.fid.Frechet", lambda one: decomposed.append(one) or Frechet(one))
    metric, reference = FID(), clips(1234)
    values = [metric.reduce(clips(seed), [one.copy() for one in reference]) for seed in (0, 20)]
    assert len(decomposed) == 1
    assert values == [FID().reduce(clips(seed), reference) for seed in (0, 20)]
    assert metric.reduce(clips(0), clips(101)) != values[0]
    assert len(decomposed) == 2


def test_the_floor_is_the_distance_of_two_halves_of_the_reference():
    reference = clips(100, count=20)
    details = FID().details(clips(0), reference)
    rows = np.concatenate(reference)
    assert details["reference images"] == len(rows)
    assert details["frames"] == sum(map(len, clips(0)))
    drawn = pool(reference).shuffled()
    first, second = (np.sort(half) for half in np.split(drawn, [len(rows) // 2]))
    assert (np.sort(drawn) == np.arange(len(rows))).all()
    assert details[FLOOR] == FID().reduce([rows[first]], [rows[second]])
    assert details[FLOOR] < FID().reduce(clips(0, offset=2), reference)


def test_more_rows_than_affordable_are_thinned_at_random_whatever_their_order(monkeypatch):
    rows, reference = clips(0, count=40), clips(100)
    exact = KID().reduce(rows, reference)
    monkeypatch.setattr(kid, "MOST", 60)
    thinned = KID().reduce(rows, reference)
    assert thinned != exact
    assert thinned == pytest.approx(exact, abs=0.15)
    assert KID().reduce([one[::-1] for one in rows[::-1]], reference) == pytest.approx(thinned, rel=1e-11)
    groups = KID().leave_out([rows[:10], rows[10:20], rows[20:]], reference)[0]
    assert groups == pytest.approx(exact, abs=0.15)


def test_pooled_rows_are_read_in_order_from_any_place():
    rows = clips(0)
    together, pooled = np.concatenate(rows).astype(np.float64), pool(rows)
    assert len(pooled) == len(together)
    for start, stop in ((0, 4), (5, 6), (2, len(together)), (7, 7)):
        np.testing.assert_array_equal(pooled.take(start, stop), together[start:stop])
    np.testing.assert_array_equal(np.concatenate(list(pooled.blocks(7, start=3))), together[3:])
    mask = np.arange(len(together)) % 3 == 0
    np.testing.assert_array_equal(pooled.where(mask).take(0, mask.sum()), together[mask])
    assert sorted(pooled.shuffled()) == list(range(len(together)))


@pytest.fixture(scope="module")
def network():
    return FID.with_test_weights()


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)


def test_features_are_those_of_pytorch_fid(network, pictures, monkeypatch):
    import pytorch_fid.inception as package
    import torchvision

    names = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    state = deterministic_state(names.state_dict(), "inception")
    monkeypatch.setattr(package, "load_state_dict_from_url", lambda url, progress: state)
    theirs = package.InceptionV3().eval()
    with torch.inference_mode():
        wanted = theirs(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255)[0][..., 0, 0].numpy()
    found = network.extract_features(pictures)
    assert found.shape == (3, 2048)
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 2e-4 * wanted.max()


def test_both_share_their_features(network, pictures):
    sample = Sample(pair=Pair(id="pair7", source=CLIP, driving=CLIP), generated=pictures)
    rows = KID.with_test_weights().measure(sample)
    np.testing.assert_array_equal(network.measure(sample), rows)
    assert FID.features == KID.features
    assert network.extract_features(pictures[:0]).shape == (0, 2048)


def test_frames_that_are_read_only_are_described(network, pictures):
    locked = pictures[:1].copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(network.extract_features(locked), network.extract_features(pictures[:1]))


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 300, 20, 3)])
def test_frames_of_any_size_and_without_any_detail_have_features(network, shape):
    for level in (0, 255):
        assert np.isfinite(network.extract_features(np.full(shape, level, np.uint8))).all()


def test_building_leaves_the_package_and_random_numbers_as_they_were(monkeypatch):
    import pytorch_fid.inception as package

    before = package.load_state_dict_from_url
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with pytest.raises(RuntimeError):
        inception.from_state({"a": torch.zeros(1)})
    assert package.load_state_dict_from_url is before
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("fault", ["keys", "bytes"])
def test_a_file_of_another_network_is_told_in_one_line(fault, tmp_path, monkeypatch, pictures):
    path = tmp_path / "inception-test.pth"
    torch.save({"a": torch.zeros(1)}, path)
    if fault == "bytes":
        path.write_bytes(path.read_bytes()[:100])
    monkeypatch.setattr(weights, "path", lambda name: {"inception-fid": path}[name])
    with pytest.raises(ToonbenchError, match=r"inception-test\.pth.*fetch the file again") as error:
        FID().extract_features(pictures)
    assert "\n" not in str(error.value)
