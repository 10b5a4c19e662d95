"""Training of ToonTalker: the paper's two stages, the losses, the discriminators and the data."""
