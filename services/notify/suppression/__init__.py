"""Addresses that nothing is sent to: they are dead, have complained, or an administrator says so."""
