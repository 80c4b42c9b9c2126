"""Posewire's service: requests in, people out. Knows HTTP, gRPC and queues, but no network."""
