"""The trainer: data in, results folders out (see the README, and ``python -m training --help``)."""
