"""The same service as replicas on the machines of a Ray cluster, behind Ray Serve's proxies."""
