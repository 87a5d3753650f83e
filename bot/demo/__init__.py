"""The demo's drawn students: a class without people.

Their faces are drawn, sent over real WebRTC and analysed by the real pipeline, which knows only the pixels.
"""
