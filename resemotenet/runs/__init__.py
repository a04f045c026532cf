"""What a run leaves behind, and the figures that are made of it."""
