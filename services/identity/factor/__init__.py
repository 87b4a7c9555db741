"""Second factors: having them, and showing them."""
