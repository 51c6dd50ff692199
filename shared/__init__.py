"""The contracts between the services, and client factories; no business rules."""
