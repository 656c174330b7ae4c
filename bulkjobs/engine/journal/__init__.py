"""The journal: one SQLite file that remembers every intent, outcome and job, for any number of inventories.

``Journal`` is what the rest of the engine uses; ``schema`` says what is kept, ``lock`` that one process writes,
``writer`` that an intent is durable before it is sent.
"""

from bulkjobs.engine.journal.journal import Journal

__all__ = ["Journal"]
