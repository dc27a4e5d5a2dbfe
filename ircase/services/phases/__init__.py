"""The plan of a case: playbooks, checklists with their gates, and what is due when."""
