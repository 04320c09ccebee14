"""Who may let a plan become commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gemeos.act.base import Conduct
from gemeos.schema.plan import Plan
from gemeos.schema.role import Role
from gemeos.units.instant import Instant


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody lets a plan be applied."""

    plan: str
    """``Plan.id``: it does not count for another plan of the same name."""
    actor: str
    role: Role
    at: Instant
    event: int = 0
    """Number of the event that tells of it."""


def may_not(actor: str, role: Role, plan: Plan, conduct: Conduct) -> list[str]:
    """Why that person's approval does not count; empty where it does."""
    reasons = []
    if conduct.approvers and actor not in conduct.approvers:
        reasons.append(
            f"{actor} may not approve plans of {plan.twin}: {', '.join(conduct.approvers)} may."
        )
    if not role.includes(conduct.role):
        reasons.append(f"{actor} is {role.value}; approving needs {conduct.role.value}.")
    if conduct.four_eyes and actor == plan.actor:
        reasons.append(f"{actor} made the plan, and four eyes are asked for that did not.")
    return reasons


def missing(approvals: Sequence[Approval], plan: Plan, conduct: Conduct) -> list[str]:
    """Why the plan is not approved; empty where it is."""
    counted = {
        each.actor
        for each in approvals
        if each.plan == plan.id and not may_not(each.actor, each.role, plan, conduct)
    }
    needed = 2 if conduct.four_eyes else 1
    if len(counted) >= needed:
        return []
    who = " or ".join(conduct.approvers) or f"somebody who is {conduct.role.value}"
    other = f" other than {plan.actor}" if conduct.four_eyes else ""
    return [f"{len(counted)} of {needed} approvals are there; it waits for {who}{other}."]
