"""Detects the faces of one image, crops them and classifies their expressions. Independent of ``bot``."""
