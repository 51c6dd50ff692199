"""What Tandem is compared with: the limits, and services as most would write them."""
