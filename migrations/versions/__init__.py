"""One module a step, each with the way there and the way back."""
