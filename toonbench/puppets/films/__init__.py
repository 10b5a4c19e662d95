"""Films for curation: multi-shot videos of puppets with exact shots, tracks and boxes."""
