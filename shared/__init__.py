"""What two or more of the services use today, and that names no business rule."""
