"""The puppet styles, one module each, found by `toonbench.puppets.look.styles`."""
