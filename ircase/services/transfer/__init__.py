"""What comes in and goes out: uploads, whole cases, exports."""
