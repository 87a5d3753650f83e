"""What several room adapters need: queued events, the notice in a chat, names, and room URLs."""
