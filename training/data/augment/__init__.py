"""Pictures changed at random, with their labels."""
