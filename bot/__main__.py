"""The program ``classmood``, and ``python -m bot``."""

import signal


def main() -> None:
    """Run the command line.

    Until it is loaded, Ctrl-C ends the process at once: an exception in the middle of an import would print a
    traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bot.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(prog_name="classmood")


if __name__ == "__main__":
    main()
