"""Benchmarks, run by hand: ``python -m tests.bench [NAME …] [--rows N] [--full]``. Nothing here fails on a time.

Machines are shared and noisy, so what is compared runs in turns within one run, each turn in a process of its own,
and is told as processor time and as a ratio of medians. The tables go to the terminal and to ``reports/bench/``.

    figures   a table, and how it is written        child    one turn in a process of its own
    minimal   the server that costs next to nothing sandbox  the embedded service, counting what reaches it
"""
