"""What goes to the Hub with the weights: figures, confusion and the model card, all made from the run itself."""
