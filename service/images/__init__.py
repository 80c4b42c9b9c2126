"""Bytes to pixels, safely, and back."""
