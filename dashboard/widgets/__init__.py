"""Pieces of pages that several views use: choices kept in the address, tables, lists of faces."""
