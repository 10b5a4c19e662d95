"""What each command of `toonbench` does, a file a theme; imported when the command runs."""
