"""Contexts of samples: offsets and mixes of their labels."""
