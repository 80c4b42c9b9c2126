"""Figures of the README, each by a command. Not tests: machines differ, and are shared."""
