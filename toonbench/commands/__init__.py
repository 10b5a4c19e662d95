"""The commands of `toonbench`, one module for each theme. A module is imported when its command runs."""
