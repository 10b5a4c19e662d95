"""A method without training: the source is warped by the motion of landmarks that are read from the driving video."""
