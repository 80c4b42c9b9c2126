"""gRPC: methods, and what stands between them and a socket."""
