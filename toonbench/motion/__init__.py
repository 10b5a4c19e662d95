"""Motion of faces without ground truth: curves read from videos, and how far two curves agree."""
