"""How well answers match the truth; pure functions of arrays."""
