"""What FMUs of the tests do when they are told to. Goes into each of them, beside its model."""

import ctypes
import os
import sys
import time


def misbehave(how: str) -> None:
    """Crash, hang, print or refuse; of ``not_finite`` the model itself takes care."""
    if how == "crash":
        os.write(1, b"about to fall\n")
        ctypes.string_at(0)
    elif how == "hang":
        time.sleep(3600)
    elif how == "chatter":
        sys.stdout.write("x" * 100_000)
        os.write(2, b"done\n")
    elif how == "discard":
        raise ValueError("the valve is stuck")
