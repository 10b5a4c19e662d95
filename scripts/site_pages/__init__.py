"""What the documentation's site adds to mkdocs; `scripts/site_hooks.py` calls it."""
