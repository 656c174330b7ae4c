"""The tests. Packages, so that one may use another's stand-ins."""
