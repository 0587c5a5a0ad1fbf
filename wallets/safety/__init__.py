"""What watches over the coins: books against chains, rows against what they claim to stand on."""
