"""The demo's drawn students: a class that needs no people.

Their faces are drawn, sent over real WebRTC and read by the real pipeline; nothing about what they show
is handed on otherwise than in pixels.
"""
