"""Training of DaGAN: FOMM's, with a depth network that stays as it is, and the training of a small depth network."""
