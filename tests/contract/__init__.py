"""Black-box tests of Tandem's guarantees: its HTTP services and its topics."""
