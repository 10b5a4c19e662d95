"""Training of Recycle-GAN on one clip of each domain."""
