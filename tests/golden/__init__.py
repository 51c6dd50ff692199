"""Events as they were published once, byte by byte: added to, never changed."""
