"""The program ``classmood``, and ``python -m bot``."""

import signal


def main() -> None:
    """Run the command line.

    Before and after it, Ctrl-C ends the process at once: an exception in the middle of an import, or while
    the interpreter shuts down, would print a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bot.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run(prog_name="classmood")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
