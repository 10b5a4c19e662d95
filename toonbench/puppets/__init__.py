"""Procedural paired faces with exact motion."""
