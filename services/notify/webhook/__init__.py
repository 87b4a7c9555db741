"""Events posted to products that hear no bus: to whom, and which."""
