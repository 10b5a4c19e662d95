"""The files that a community needs are whole: they parse, and ask for what their readers need."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", [one for one in FORMS if one.name != "config.yml"], ids=lambda one: one.stem)
def test_a_form_of_an_issue_has_a_name_and_labelled_fields(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"]
    assert form["description"]
    for field in form["body"]:
        assert field["type"] in ("textarea", "input", "checkboxes", "dropdown", "markdown")
        assert field["attributes"]["label"]


def test_the_report_of_a_fault_asks_for_what_doctor_prints():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8"))
    doctor = next(one for one in form["body"] if "`toonbench doctor --json`" in one["attributes"]["label"])
    assert doctor["validations"]["required"]


def test_the_citation_names_the_version_and_the_licence_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{citation["version"]}"' in project
    assert citation["license"] in project
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
