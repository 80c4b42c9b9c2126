"""HTTP: routes, and what stands between them and a socket."""
