"""What is said of a class: windows, classes, shares and words. Pure data and pure functions."""
