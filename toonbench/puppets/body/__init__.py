"""The parts of a puppet as geometry: head, skin, face parts, hair, clothes and accessories."""
