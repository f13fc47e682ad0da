"""An inspection station on a production line."""
