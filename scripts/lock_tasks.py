"""Write toonbench/tasks/tasks.lock: run after adding a task or raising a task's version."""

from toonbench.store import write_json
from toonbench.tasks.lock import LOCK, current

if __name__ == "__main__":
    write_json(LOCK, current())
    print(f"written: {LOCK}")
