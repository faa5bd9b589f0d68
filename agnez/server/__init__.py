"""The server: services, addresses and sockets over the store."""
