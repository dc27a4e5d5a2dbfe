"""What people write: notes, comments, drafts, and whom they mention."""
