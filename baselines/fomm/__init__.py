"""FOMM: the first-order motion model (Siarohin et al. 2019)."""
