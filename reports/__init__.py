"""Stores classes and shows them: figures, database, live feed, the host's pages and the report."""
