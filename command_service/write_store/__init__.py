"""PostgreSQL as the command service uses it: one transaction for each batch of commands."""
