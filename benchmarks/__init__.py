"""Where the figures of the README come from: ``python -m benchmarks --help`` lists them.

Senders run in a process of their own, so that the CPU time printed is the receiver's. Stock aiortc is
measured in a process of its own too, since this program's mends of aiortc's tables are for the whole process.
"""
