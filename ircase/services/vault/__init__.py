"""Evidence in keeping: custody, handling, holds, retention, statements and the store's health."""
