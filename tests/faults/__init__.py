"""The fault server, what it can do to a run, and the check that journal, report and truth agree afterwards."""
