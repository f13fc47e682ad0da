"""HTTP: the API of serving."""
