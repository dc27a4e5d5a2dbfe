"""What news becomes outside the app: who is told when, in which words, and how it is signed (docs/notifications.md)."""
