"""From a posed body to a picture: mesh, rasteriser, lines, backdrops."""
