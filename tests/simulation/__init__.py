"""A simulator: the real engine on a virtual clock, against a model of the service, with crashes at any step.

Everything of a schedule follows from one integer. ``python -m tests.simulation --seed N --schedules K``.

Real: ``Submit`` and all of the engine below it (plan, protocol, sender, resolver, reader, recorder, gate, health,
back-off, retry budget, rate control), the comparison of definitions, the classifier of replies, and the journal's
tables, statements and batches.

Stood in for: the event loop and its clock (``loop``), the limiter (``limiter``, with the real bucket's figures;
aiolimiter hangs on virtual clocks), ``DataFlowClient`` (``client``), the service (``service``), the
inventory's files and survey (``inventory``), and the journal's file, lock and thread (``journal``).

Modelled: list lag · late commits · lost requests and replies · 2xx without a jobId · 408, 409, 429, 5xx with and
without a job made · throttling, ``Retry-After`` · quota, revoked keys, a bad certificate · outages (refused, silent,
503, lists only) · lookups that fail · lists that change while they are paged, that repeat a page · DELETED jobs, also
ones whose name stays taken · strangers that take, delete and remove names · services that refuse a name that is
taken, plainly or vaguely, and that do not · name filters that find parts of names · crashes at any step of the
loop and between any two records of the journal · interrupts · a full disk · edited, reordered and dropped rows ·
runs on another machine, without the journal.

Not modelled: a wall clock that steps · two scopes in one journal · two processes at once · a list that still shows a
deleted job as live · replies that lie · invalid rows · files, sockets, TLS, threads and signals, which have tests of
their own.

What is checked is in ``watch``. The promise of exactly one job a row holds while list lag and late commit together
stay within settle; about one schedule in eight goes beyond, and there only the stated limit may break: a second job,
or a report that does not know of a job, for a name whose job became visible after settle.
"""
