"""From a picture to what is read of it: open, light, find, cut, read."""
