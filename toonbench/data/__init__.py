"""Folders of clips: loading, checking, writing."""
