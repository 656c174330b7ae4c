"""``runs``, ``explain``, ``export`` and rules of comparison: through the program, against the real sandbox."""
