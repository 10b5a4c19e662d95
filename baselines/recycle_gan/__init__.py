"""Recycle-GAN (Bansal et al. 2018), re-implemented from the paper: one model for a pair of clips, so it is never ranked."""
