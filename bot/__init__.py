"""The bot: rooms, receiving, the pipeline, sessions and the command line."""
