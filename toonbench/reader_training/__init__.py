"""Training data and training of the motion reader: puppets in many framings, and frames of real videos, whole and stylised."""
