"""What `docker compose up` needs before the servers: users, passwords and keys of its own."""
