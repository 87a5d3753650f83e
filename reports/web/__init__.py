"""The host's pages, JSON API and live stream, as one aiohttp application."""
