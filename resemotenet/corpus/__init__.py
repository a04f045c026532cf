"""From many pictures and films to one table, that may be stopped at any moment and goes on where it was."""
