"""Per system: what it prepares, what it asks its engines for, and what it makes of the answer."""
