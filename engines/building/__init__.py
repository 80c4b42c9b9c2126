"""What makes engines of graphs: one sibling a back-end behind one small protocol."""
