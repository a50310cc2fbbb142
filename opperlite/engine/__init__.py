"""The embedded media engine: prompt in, bytes out. Knows nothing of the rest of opperlite."""
