"""What people fill in. The values are checked by the services, which every door shares."""
