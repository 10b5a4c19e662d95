"""Networks that measure pictures, and network blocks that several methods share."""
