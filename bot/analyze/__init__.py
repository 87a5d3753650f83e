"""``classmood analyze``: lists the faces in images and videos, and draws them into copies."""
