"""Human-pose networks and what runs them; a library usable without the service."""
