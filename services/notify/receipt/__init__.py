"""What providers tell of a message after they have taken it: that it has arrived, or came back, or was complained of."""
