"""What a run becomes: digest, statistics, objectives, verdict, comparison."""
