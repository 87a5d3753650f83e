"""Files with images and video, read as a viewer or a player shows them."""
