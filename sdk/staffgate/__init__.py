"""What a product team installs to work with Staffgate: its language, its clients, its engine."""
