"""Golden cases: outputs of original code that stored files hold, and pinned values of this code."""
