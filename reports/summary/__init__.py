"""Data about a class: windows, records, mean shares, indicators, and their words. No I/O and no clock."""
