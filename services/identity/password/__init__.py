"""Passwords, and the links that set them."""
