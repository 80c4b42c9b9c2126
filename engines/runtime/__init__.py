"""What runs networks: one sibling a back-end behind one small protocol."""
