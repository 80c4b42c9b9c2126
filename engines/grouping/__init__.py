"""Arrays to people, in vectorised NumPy."""
