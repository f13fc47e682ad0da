"""Verticals built on the loop: specs, and the rules that only they need."""
