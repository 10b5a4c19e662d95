"""Export of results as records of the "Every Eval Ever" format, schema version 0.2.0.

The format was made for language models; of its fields, these fit a result of toonbench. `SHAPE` is our own list of the fields that
are written here, with their types. It is no copy of the official schema and does not replace it: `toonbench export --schema FILE`
checks records by the official file.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toonbench.leaderboard.check import check_entry, is_entry
from toonbench.leaderboard.places import ENTRY
from toonbench.score.stored import read_object, request_problems, shape_problems, unchanged
from toonbench.store import safe_name, to_json
from toonbench.types import Metric, ToonbenchError

VERSION = "0.2.0"
DEPTH = 3  # of a run below a folder of runs: data, task, method
LEVEL = 0.95  # of every interval of toonbench
METHOD = "bootstrap or jackknife over driving videos and sources (docs/statistics.md of toonbench)"
ROW: dict[str, type] = {"clusters": int, "higher_is_better": bool, "notes": list, "details": dict, "unranked": str}
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_SOURCE: dict[str, Any] = {
    "type": "object",
    "required": ["source_type", "source_organization_name", "evaluator_relationship"],
    "properties": {
        "source_name": _TEXT,
        "source_type": {"enum": ["documentation", "evaluation_run"]},
        "source_organization_name": _TEXT,
        "evaluator_relationship": {"enum": ["first_party", "third_party", "collaborative", "other"]},
        "additional_details": _TEXTS,
    },
}
_RESULT: dict[str, Any] = {
    "type": "object",
    "required": ["evaluation_name", "source_data", "metric_config", "score_details"],
    "properties": {
        "evaluation_name": _TEXT,
        "source_data": {
            "type": "object",
            "required": ["dataset_name", "source_type"],
            "properties": {
                "dataset_name": _TEXT,
                "source_type": {"enum": ["url", "hf_dataset", "other"]},
                "samples_number": {"type": "integer"},
                "additional_details": _TEXTS,
            },
        },
        "metric_config": {
            "type": "object",
            "required": ["lower_is_better"],
            "properties": {
                "evaluation_description": _TEXT,
                "lower_is_better": {"type": "boolean"},
                "score_type": {"enum": ["binary", "continuous", "levels"]},
                "min_score": {"type": "number"},
                "max_score": {"type": "number"},
                "additional_details": _TEXTS,
            },
            "if": {"required": ["score_type"], "properties": {"score_type": {"const": "continuous"}}},
            "then": {"required": ["min_score", "max_score"]},
        },
        "score_details": {
            "type": "object",
            "required": ["score"],
            "properties": {
                "score": {"type": "number"},
                "details": _TEXTS,
                "uncertainty": {
                    "type": "object",
                    "properties": {
                        "confidence_interval": {
                            "type": "object",
                            "required": ["lower", "upper"],
                            "properties": {
                                "lower": {"type": "number"},
                                "upper": {"type": "number"},
                                "confidence_level": {"type": "number", "minimum": 0, "maximum": 1},
                                "method": _TEXT,
                            },
                        },
                        "num_samples": {"type": "integer"},
                    },
                },
            },
        },
    },
}
SHAPE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": [
        "schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "eval_library", "model_info",
        "evaluation_results",
    ],
    "properties": {
        "schema_version": {"const": VERSION},
        "evaluation_id": _TEXT,
        "retrieved_timestamp": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
        "source_metadata": _SOURCE,
        "eval_library": {
            "type": "object",
            "required": ["name", "version"],
            "properties": {"name": _TEXT, "version": _TEXT, "additional_details": _TEXTS},
        },
        "model_info": {
            "type": "object",
            "required": ["name", "id"],
            "properties": {"name": _TEXT, "id": _TEXT, "developer": _TEXT, "additional_details": _TEXTS},
        },
        "evaluation_results": {"type": "array", "items": _RESULT},
    },
}  # fmt: skip
"""The fields that `record` writes, as we know them, as a JSON Schema."""


def sound_results(places: Sequence[Path]) -> tuple[list[Path], dict[Path, str]]:
    """The folders of runs and entries at or below `places` whose results may be exported, and the others with the reason."""
    found = {
        path.parent
        for place in places
        for depth in range(DEPTH + 1)
        for path in place.glob("*/" * depth + "result.json")
    }
    reasons = {root: reason for root in sorted(found) if (reason := next(_reasons(root), ""))}
    return sorted(found - {*reasons}), reasons


def _reasons(root: Path) -> Iterator[str]:
    if is_entry(root):
        yield from check_entry(root).problems
        return
    try:
        result = read_object(root / "result.json")
    except ToonbenchError as error:
        yield str(error)
        return
    if wrong := shape_problems(result):
        yield from wrong
        return
    yield from unchanged(result)
    yield from request_problems(root, result)
    yield from _unfit(result)


def _unfit(result: Mapping[str, Any]) -> Iterator[str]:
    """Fields that a record needs and that have another type than scoring writes, or are missing."""
    for name, part in (("environment.git", result["environment"].get("git")), ("checkpoint", result.get("checkpoint"))):
        if not isinstance(part, dict | None):
            yield f"the field '{name}' is {type(part).__name__}, not dict: score the run again"
    for one in result["results"]:
        if wrong := [key for key, kind in ROW.items() if not isinstance(one.get(key), kind)]:
            yield f"{one['metric']}: {wrong[0]} is {one.get(wrong[0])!r}: score the run again"


def record(root: Path, *, organization: str, moment: int, relationship: str = "other") -> dict[str, Any]:
    """The record of a scored run or an entry. `moment` is when it is exported, in seconds since 1970.

    A metric without a value has no score, so it is not in the record; `model_info` lists it.
    """
    result = read_object(root / "result.json")
    without = [one["metric"] for one in result["results"] if one["value"] is None]
    git = result["environment"].get("git") or {}
    return {
        "schema_version": VERSION,
        "evaluation_id": f"{result['data']}/{result['task']}/{result['method']}/{moment}",
        "retrieved_timestamp": str(moment),
        "source_metadata": {
            "source_name": "toonbench",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relationship,
        },
        "eval_library": {
            "name": "toonbench",
            "version": str(result["environment"].get("toonbench") or "unknown"),
            "additional_details": {"commit": str(git.get("commit", ""))},
        },
        "model_info": {
            "name": result["method"].rpartition("@")[0],
            "id": result["method"],
            "additional_details": _about_method(root, result, without=without),
        },
        "evaluation_results": [_result(result, one) for one in result["results"] if one["value"] is not None],
    }


def file_name(found: Mapping[str, Any]) -> str:
    """`<data>/<method>/<uuid>.json`: equal records have equal names."""
    identity = hashlib.sha256(to_json(found).encode("utf-8", "surrogatepass")).digest()[:16]
    data = safe_name(found["evaluation_id"].split("/")[0])
    return f"{data}/{safe_name(found['model_info']['id'])}/{uuid.UUID(bytes=identity, version=4)}.json"


def _about_method(root: Path, result: Mapping[str, Any], *, without: list[str]) -> dict[str, str]:
    facts = read_object(root / ENTRY).get("facts", {}) if is_entry(root) else {}
    found = {**facts, **{f"checkpoint {key}": value for key, value in (result.get("checkpoint") or {}).items()}}
    found["metrics without a value"] = ", ".join(without)
    return {str(key): str(value) for key, value in found.items() if value}


def _result(result: Mapping[str, Any], one: Mapping[str, Any]) -> dict[str, Any]:
    interval = {
        "lower": one["low"],
        "upper": one["high"],
        "confidence_level": LEVEL,
        "method": "see docs/statistics.md",
    }
    uncertainty = {} if None in (one["low"], one["high"]) else {"confidence_interval": interval}
    details = {key: "" if value is None else repr(value) for key, value in one["details"].items()}
    facts = {"pairs": one["pairs"], "missing": one["missing"], "clusters": one["clusters"], "coverage": one["coverage"]}
    notes = {"notes": "; ".join((*one["notes"], *result["caveats"])), "not ranked because": one["unranked"]}
    return {
        "evaluation_name": f"{result['task']} {one['metric']}",
        "source_data": {
            "dataset_name": result["data"],
            "source_type": "other",
            "samples_number": one["pairs"],
            "additional_details": {
                "task": result["task"],
                "data_fingerprint": result["data_fingerprint"],
                "pairs_fingerprint": result["pairs_fingerprint"],
                "seed": str(result["seed"]),
            },
        },
        "metric_config": _metric(one),
        "score_details": {
            "score": one["value"],
            "details": {key: str(value) for key, value in {**facts, **details, **notes}.items() if value != ""},
            "uncertainty": {**uncertainty, "num_samples": one["clusters"]},
        },
    }


def _metric(one: Mapping[str, Any]) -> dict[str, Any]:
    """The metric as this installation knows it. A metric without finite bounds has no `score_type`, because that requires bounds."""
    from toonbench import registry

    fields: dict[str, Any] = {
        "lower_is_better": not one["higher_is_better"],
        "additional_details": {"metric": one["metric"]},
    }
    try:
        metric: Metric = registry.load_metric(one["metric"])
    except ToonbenchError:  # a plug-in that is not installed here
        return fields
    if about := (metric.__doc__ or "").strip().partition("\n")[0]:
        fields["evaluation_description"] = about
    low, high = metric.bounds
    if math.isfinite(low) and math.isfinite(high):
        fields |= {"score_type": "continuous", "min_score": low, "max_score": high}
    return fields
