"""MAA (Xu et al. 2022), re-implemented from the paper: FOMM's network, trained on two domains without pairs."""
