"""Whether the team could answer an incident today: checks by part, each with its age and what to do next."""
