"""Statistics: intervals, paired comparisons."""
