"""What people do with reports beside building them: read over, sign off, answer an authority, give them a look."""
