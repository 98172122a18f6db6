"""The program of a watchdog: run as a file by a bare interpreter, `python -I -S __main__.py ARGUMENTS`."""

import os
import sys


def _leave_parent() -> None:
    # Before any import: the process in between lives as short as it can. Nobody has to collect its child.
    if os.fork():
        os._exit(0)


if __name__ == "__main__":
    _leave_parent()
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from ocr_otel.watchdog.process import main

    main(sys.argv[1:])
