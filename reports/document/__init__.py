"""The report of one class as HTML, CSV and JSON, and the timeline that the live page shows too."""
