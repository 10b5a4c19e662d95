"""LIA: latent image animator (Wang et al. 2022)."""
