"""Who may call: keys, rates and certificates."""
