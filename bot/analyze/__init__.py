"""``classmood analyze``: the faces in images and videos, listed and drawn into copies."""
