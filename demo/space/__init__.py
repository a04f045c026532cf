"""The page as a Hugging Face Space: ``python -m demo.space`` puts together the folder that is uploaded."""
