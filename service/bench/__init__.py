"""`posewire bench`: the engine alone, then everything around it, in one run."""
