"""SMS over SMPP 3.4, as operators and aggregators speak it."""
