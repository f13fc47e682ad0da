"""Tenfold: a vision model factory."""
