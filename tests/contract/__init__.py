"""Black-box tests of what Tandem promises: its HTTP services and its topics."""
