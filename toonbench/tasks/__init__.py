"""The five protocols of the paper, a file each."""
