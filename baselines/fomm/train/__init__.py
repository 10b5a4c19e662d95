"""Training of FOMM: the losses and schedules of its authors. DaGAN's training adds its own to them."""
