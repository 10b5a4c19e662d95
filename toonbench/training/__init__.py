"""What methods share that learn from clips: clips, sampling, checkpoints, averages, processes, logs, sample grids."""
