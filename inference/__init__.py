"""Faces and expressions in one picture: detect, crop, classify. Knows nothing of rooms, stores or pages."""
