"""The curated timeline: what people judged to matter. Times, filters, the list, its picture, and its files."""
