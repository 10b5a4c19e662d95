"""What the training of FOMM, LIA and DaGAN shares: configuration, state and checkpoints, the loop, held-out pictures."""
