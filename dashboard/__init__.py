"""The dashboard: researchers compare data sets, models and confusions on results that the trainer wrote."""
