"""The programs that Tandem is compared with: its limits, and conventional services."""
