"""The report of one class as HTML, CSV and JSON, and the charts it shares with the live page."""
