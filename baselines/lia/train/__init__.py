"""Training of LIA: reconstruction, perceptual and adversarial losses."""
