"""Torch definitions of the networks, one file a network, keyed like their official checkpoints."""
