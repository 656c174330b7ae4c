"""Plan, protocol, pacing, journal, run: the only place that decides what to send, and when."""
