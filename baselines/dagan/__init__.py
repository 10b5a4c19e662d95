"""DaGAN: depth-aware talking heads (Hong et al. 2022)."""
