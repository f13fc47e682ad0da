"""Serving: one trunk in memory, many heads behind one address."""
