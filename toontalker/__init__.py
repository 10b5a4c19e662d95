"""ToonTalker (ICCV 2023): the network, its method, its training."""
