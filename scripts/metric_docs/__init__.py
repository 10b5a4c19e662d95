"""Makes the pages of docs/metrics/ and their pictures."""
