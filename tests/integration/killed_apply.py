"""A site that applies a plan and waits to be killed: a process for tests.

``killed_apply.py PORT STORE [--apply]``
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from gemeos.link.broker import MqttVersion
from gemeos.runtime.actuator_links import MqttActuatorLink
from gemeos.runtime.run import run
from gemeos.testing.device_process import TOPICS
from gemeos.testing.valve import feed, made, valve_site, valve_twin

LONGEST_S = 50.0


def main() -> None:
    """Feed the twin all the while."""
    port, store = sys.argv[1], Path(sys.argv[2])
    link = MqttActuatorLink(
        name="plc",
        broker=f"mqtt://127.0.0.1:{port}",
        topics=TOPICS,
        client_id=f"killed-{os.getpid()}",
        version=MqttVersion.V311,
    )
    with run(valve_site(valve_twin(answer_within="60 s"), link, store=store)) as running:
        feed(running, count=60)
        is_wanted = "--apply" in sys.argv
        ends = time.monotonic() + LONGEST_S
        plan = made(running)
        while time.monotonic() < ends:
            feed(running)
            if is_wanted and not running["tank"].apply(plan, approve="ada").against:
                running["tank"].apply(plan, approve="ada", dry_run=False)
                is_wanted = False
            time.sleep(0.1)


if __name__ == "__main__":
    main()
