"""The bot: rooms, receiving, the pipeline, sessions and the command line."""

import os

# Read by OpenCV when it is loaded: a picture of a few kilobytes could ask for gigabytes of memory.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(100_000_000))
