"""What is kept and shown of a class: summaries, the store, the live feed, the pages and the report."""
