"""What an edge folder is made of: the graph of its heads, and the runner that is copied out."""
