"""One image for everything of ours, and what prepares the others' containers for it."""
