"""Staff from a file: read, checked row by row, and written in small steps by whichever worker is there."""
