"""What the networks' original implementations make of fixtures, against what ours make of them."""
