"""Creates users, passwords and keys for `docker compose up`, before the servers start."""
