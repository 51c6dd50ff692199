"""Published events, byte by byte. New records may be added; existing ones never change."""
