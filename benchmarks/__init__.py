"""Benchmarks that measure the figures of the README; ``python -m benchmarks --help`` lists them.

Simulated senders run in a separate process, so that the printed CPU time is the receiver's only. Stock aiortc
is also measured in a separate process, because ``bot.webrtc`` patches aiortc for its whole process.
"""
