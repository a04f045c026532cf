"""The page: a picture in, every face with its emotions out. Start it with ``python -m demo``."""
