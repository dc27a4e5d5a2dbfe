"""What people fill in. Times are read and shown in the person's zone, which the middleware has made current."""
