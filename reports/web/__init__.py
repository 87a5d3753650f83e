"""The host's pages, JSON API and live event stream, as one aiohttp application."""
