"""`make bench`: what Tandem does, beside what would be possible, in the same run."""
