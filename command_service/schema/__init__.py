"""The database schema: migrations, functions, applying them, and waiting for them."""
