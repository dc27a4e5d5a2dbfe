"""What scripts and packages collect from a device, as rows: printed tables and lists, logs, histories, databases."""
