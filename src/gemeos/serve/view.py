"""What every page is drawn from: the site, and who looks at it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gemeos.ensemble.marginal import Marginal, told
from gemeos.runtime.host import Host
from gemeos.runtime.optimisation import OptimisationRecord, short
from gemeos.runtime.plan import Kill, PlanRecord
from gemeos.runtime.scenario import Progress, ScenarioRecord
from gemeos.runtime.switches import WHOLE_SITE
from gemeos.serve import markup
from gemeos.serve.auth import Actor
from gemeos.serve.markup import Html
from gemeos.serve.routes.operation import Served
from gemeos.serve.teller import Teller
from gemeos.units.instant import SECOND, Instant

LENGTH_OF_TIME: Final = len("2026-11-22T18:00:00")
USUAL_URL: Final = "http://127.0.0.1:8000"
"""Where the command line asks by itself."""
RENEW_MS: Final = 10_000
SOON_MS: Final = 2_000
"""While something is under way that a page shows."""


@dataclass(frozen=True, slots=True)
class View:
    """One look at one page."""

    served: Served
    actor: Actor
    url: str = USUAL_URL
    """As the browser asks this site."""
    on: str | None = None
    """The variable that is wanted."""

    @property
    def host(self) -> Host:
        """The site."""
        return self.served.host

    @property
    def now(self) -> Instant:
        """Site time."""
        return self.host.clock.now()

    @property
    def twins(self) -> Sequence[str]:
        """Names of those that may be seen."""
        return self.served.visible(self.actor)

    @property
    def kills(self) -> Sequence[Kill]:
        """Kill switches that are engaged and may be seen."""
        every = self.host.applying.switches.all()
        return [k for k in every if k.twin == WHOLE_SITE or self.actor.sees(k.twin)]

    def time(self, when: Instant) -> Html:
        """To the second, which is what somebody reads, in the site's zone."""
        told_at = Teller(self.host).time(when - when % SECOND)
        # The offset is left out of sight: every page says whose time it tells.
        shown = told_at[:LENGTH_OF_TIME].replace("T", " ")
        return Html(f'<time datetime="{markup.html(told_at)}">{markup.html(shown)}</time>')

    def clock(self, when: Instant) -> str:
        """Hours and minutes in the site's zone, seconds where there are any.

        The day stands before them where it is not that of site time.
        """
        told_at = Teller(self.host).time(when - when % SECOND)[:LENGTH_OF_TIME]
        day, at = told_at.split("T")
        today = Teller(self.host).time(self.now).split("T")[0]
        shown = at.removesuffix(":00")
        return shown if day == today else f"{day} {shown}"

    def ago(self, when: Instant) -> str:
        """How long before site time, or after it."""
        gone = self.now - when
        return f"{markup.length(gone)} ago" if gone >= 0 else f"in {markup.length(-gone)}"

    def command(self, *words: str) -> Html:
        """A command line that asks this very site."""
        at = () if self.url == USUAL_URL else ("--url", self.url)
        return markup.code(shlex.join(["gemeos", *words, *at]))


@dataclass(frozen=True, slots=True)
class Page:
    """A page's content."""

    title: str
    body: Html
    trail: Sequence[tuple[str, str]] = ()
    """The pages above it, with their paths."""
    renew_ms: int = RENEW_MS


def within(marginal: Marginal, place: int) -> tuple[str, str]:
    """Mean and 90 % interval at one time."""
    mean, _, interval = told(marginal, place)
    return mean, interval.replace("..", "to")


def more(count: int, shown: int, what: str, to: str) -> Html:
    """That there are further ones, and where; nothing where there are none."""
    if count <= shown:
        return Html("")
    told_of = f"The newest {shown} of {count} {what} are shown. All of them: "
    return markup.paragraph(markup.joined([told_of, markup.link(to, to)]))


_PROGRESS: Final = {
    Progress.WAITING: "calm",
    Progress.RUNNING: "calm",
    Progress.DONE: "good",
    Progress.CANCELLED: "warn",
    Progress.FAILED: "bad",
    Progress.INTERRUPTED: "warn",
}


def progress(view: View, record: ScenarioRecord | OptimisationRecord) -> Html:
    """How far it is, in a word, and while it is run as a share."""
    told_as = markup.badge(record.progress.value, _PROGRESS[record.progress])
    if record.progress is not Progress.RUNNING:
        return told_as
    is_scenario = isinstance(record, ScenarioRecord)
    work = view.host.scenarios if is_scenario else view.host.optimisations
    return markup.joined((told_as, f" {work.fraction(record.twin, record.name):.0%}"))


def changed(told_as: Mapping[str, str], *, exact: bool = False) -> Html:
    """What is changed, or may be chosen: a line each; six digits that matter where not exact."""
    lines = (
        markup.code(f"{name} = {text if exact else short(text)}") for name, text in told_as.items()
    )
    return markup.joined(lines, Html("<br>")) or Html("-")


def waits(view: View, record: PlanRecord) -> bool:
    """Whether somebody has to decide on it."""
    plan = record.plan
    applied = view.host.applying.undertakings.of(plan.id)
    return applied is None and plan.recommended and view.now < plan.expires_at
