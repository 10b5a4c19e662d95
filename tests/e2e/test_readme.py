"""The Python example of the README runs as it stands, as a cell of a notebook."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_python_example_prints_a_value_with_its_interval_for_each_metric(tmp_path, monkeypatch, capsys):
    (cell,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(cell, "cell", "exec"), {"__name__": "__main__"})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["psnr@1", "rig_corr@1"]
    for _, value, low, high in lines:
        assert float(low) <= float(value) <= float(high)
