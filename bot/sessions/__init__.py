"""Classes from start to end: their states, what is written and published, and for how long it is kept."""
