"""The model folder: how it is written, read, fetched, and where it comes from."""
