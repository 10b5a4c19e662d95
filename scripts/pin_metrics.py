"""Write toonbench/goldens/pinned.json: run after a metric is added, gets a new version, or the shipped puppets change."""

from toonbench import registry
from toonbench.goldens.pinned import PINNED, can_be_pinned, on_test_weights, value_of
from toonbench.store import write_json

if __name__ == "__main__":
    values: dict[str, float | None] = {}
    for name in registry.names("metrics"):
        metric = on_test_weights(registry.load_metric(name))
        values[registry.metric_id(metric)] = value_of(metric) if can_be_pinned(metric) else None
        print(registry.metric_id(metric), values[registry.metric_id(metric)])
    write_json(PINNED, values)
    print(f"written: {PINNED}")
