import subprocess
import sys

import pytest

from toonbench import registry
from toonbench.acronyms import ACRONYMS, key
from toonbench.types import ToonbenchError


def test_the_issues_methods_metrics_and_tasks_are_registered():
    assert {"toontalker", "static", "paste", "oracle", "noisy-oracle"} <= set(registry.names("methods"))
    assert {"l1", "psnr", "ssim", "cpbd"} <= set(registry.names("metrics"))
    assert {"real2cartoon", "cartoon2real", "real_self", "real_cross", "cartoon_cross"} <= set(registry.names("tasks"))


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ToonbenchError, match="unknown metric 'pnsr': did you mean psnr"):
        registry.load_metric("pnsr")


def test_a_name_like_nothing_lists_all():
    with pytest.raises(
        ToonbenchError,
        match=f"known: {', '.join(registry.names('metrics'))}$",
    ):
        registry.load("metrics", "zzzz")


def test_a_version_that_is_not_there_is_refused():
    with pytest.raises(ToonbenchError, match="metric l1 has version 1, not 2: write l1@1"):
        registry.load_metric("l1@2")


def test_a_place_in_a_module_serves_as_a_name():
    assert registry.load("methods", "baselines.dummies:Static").name == "static"
    with pytest.raises(ToonbenchError, match=r"cannot load 'baselines.dummies:Nobody'"):
        registry.load("methods", "baselines.dummies:Nobody")


@pytest.mark.parametrize(
    ("family", "members"),
    [
        ("aed", ["aed_expression", "aed_identity"]),
        ("akd", ["akd_fan68"]),
        ("csim", ["csim_arcface", "csim_dinov2", "csim_sface"]),
        ("lpips@1", ["lpips_alex", "lpips_vgg"]),
    ],
)
def test_a_bare_acronym_is_refused_with_a_line_for_each_metric_that_bears_it(family, members):
    with pytest.raises(ToonbenchError) as error:
        registry.load_metric(family)
    first, *lines = str(error.value).splitlines()
    assert f"metric '{family.partition('@')[0]}' is ambiguous: choose one of" in first
    assert [line.split(":")[0].strip() for line in lines] == members
    assert all(len(line.split(": ", 1)[1]) > 20 for line in lines)


@pytest.mark.parametrize("name", [name for one in ACRONYMS for name in one.names])
def test_a_name_of_papers_is_answered_in_one_line_with_what_is_nearest(name):
    with pytest.raises(ToonbenchError) as error:
        registry.load_metric(name)
    line = str(error.value)
    assert line.startswith(f"metric '{name}' (")
    assert "did you mean" not in line
    assert "\n" not in line
    assert any(metric in line for metric in registry.names("metrics"))


@pytest.mark.parametrize(
    "name", ["apd", "APD", "Apd", "a-p-d", "LSE-D", "lse_d", "lse d", "M-LMD", "m_lmd", "fid_vid", "Fvd@1"]
)
def test_case_dashes_and_underscores_of_a_name_of_papers_do_not_matter(name):
    with pytest.raises(ToonbenchError, match=r"is not measured here; .* is nearest, but another quantity: "):
        registry.load_metric(name)


def test_names_of_papers_are_unambiguous_and_name_metrics_that_exist():
    keys = [key(name) for one in ACRONYMS for name in one.names]
    assert len(keys) == len(set(keys))
    assert not {key(name) for name in registry.names("metrics")} & set(keys)
    assert {metric for one in ACRONYMS for metric in one.nearest} <= set(registry.names("metrics"))


@pytest.mark.parametrize("name", ["PSNR", "Psnr", "CSIM-ArcFace", "head-pose-deg"])
def test_another_spelling_of_a_metric_suggests_its_name(name):
    with pytest.raises(ToonbenchError, match=rf"did you mean {name.lower().replace('-', '_')}\?$"):
        registry.load_metric(name)


@pytest.mark.parametrize("name", ["AED", "Csim", "LPIPS"])
def test_an_acronym_of_several_metrics_may_be_in_upper_case(name):
    with pytest.raises(ToonbenchError, match="is ambiguous: choose one of"):
        registry.load_metric(name)


def test_a_method_with_the_name_of_a_metric_of_papers_is_not_answered_with_metrics():
    with pytest.raises(ToonbenchError, match="unknown method 'fvd': "):
        registry.load("methods", "fvd")


IMPORTERS = """
import sys
from toonbench import registry
for name in registry.names("metrics"):
    registry.load_metric(name)
    if "torch" in sys.modules:
        sys.exit(name)
"""


def test_loading_a_metric_does_not_import_torch():
    made = subprocess.run([sys.executable, "-c", IMPORTERS], check=False, capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")
