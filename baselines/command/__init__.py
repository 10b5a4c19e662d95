"""Command methods: any program as a method, described by a TOML file."""
