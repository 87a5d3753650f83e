"""Classes from start to end: their states, what is stored and published, and when it is deleted."""
