"""Trains, exports and measures the expression CNN; train and export need the extra ``training``."""
