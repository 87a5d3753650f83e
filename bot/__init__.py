"""The bot: rooms, receiving, the pipeline, sessions and the command line."""

import os

# OpenCV reads this when it is imported. Without it, an image of a few kilobytes could claim a size that
# takes gigabytes of memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))
