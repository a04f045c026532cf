"""What pages say about runs, computed without Streamlit: series, seeds, verdicts, counts."""
