"""From deployed models back to better ones: roll out, watch, review, retrain."""
