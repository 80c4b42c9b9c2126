# In place of haproxy:3.2 where that cannot be pulled: Debian's own.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends haproxy
