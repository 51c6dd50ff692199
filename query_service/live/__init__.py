"""Documents as server-sent events: a stream sends each state that is newer than the last one."""
