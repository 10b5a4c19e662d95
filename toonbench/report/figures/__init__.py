"""Figures of stored runs: grids of frames, labelled videos, worst pairs, scores by yaw, and the space of motion codes."""
