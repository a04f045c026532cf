"""The reader in the visitor's browser: what a page serves so that pictures are read where they are."""
