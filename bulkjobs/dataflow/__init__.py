"""One API call at a time: signature, contract, transport, classified replies. Knows nothing of inventories."""
