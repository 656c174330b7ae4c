"""plan, reconcile and rollback: the real program against the real sandbox, edited by hand, killed and resumed."""
