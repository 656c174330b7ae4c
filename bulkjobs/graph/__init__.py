"""Row + layout → node graph: node types, fields and filters, names and ids, checks, fingerprints. Pure."""
