"""What is asked of networks: its way to an engine, batches, devices and their faults."""
