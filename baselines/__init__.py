"""Methods that stand beside ToonTalker."""
