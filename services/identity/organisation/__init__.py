"""The organisation itself: its owner, its settings, its lists."""
