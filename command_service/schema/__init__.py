"""The schema of the database: migrations, applying them, and waiting for them."""
