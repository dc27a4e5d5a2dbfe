"""What is done with a case as a whole: opened, linked, merged, handed over, closed, and what was learnt."""
