"""Training data and training of the detector of drawn faces."""
