"""From raw pictures and videos to face crops."""
