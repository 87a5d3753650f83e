"""What it costs to receive a class: ``python -m benchmarks receive | classroom | soak | outage | faces``.

Senders run in a process of their own, so that the CPU time printed is the receiver's. Stock aiortc is
measured in a process of its own too, since this program's mends of aiortc's tables are for the whole process.
"""
