"""The three services. None of them imports another: they speak by HTTP and events."""
