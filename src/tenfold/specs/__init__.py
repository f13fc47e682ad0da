"""What people write: tasks and their bars, as YAML."""
