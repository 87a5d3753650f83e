"""From tracks to windows: sampling, reading, aggregating. Knows no web, store or WebRTC library."""
