"""Films to a data set of face clips: the pipeline of `toonbench prepare-cartoon`."""
