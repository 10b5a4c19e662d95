"""Training data and training of the landmark network behind the motion metrics."""
