"""From tracks to windows: sampling, classification, aggregation. Uses no web, store or WebRTC library."""
