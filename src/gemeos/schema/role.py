"""What somebody may do at a site."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """Each may what those before it may."""

    VIEWER = "viewer"
    """Ask."""
    OPERATOR = "operator"
    """Send readings; apply plans that are approved; engage the kill switch."""
    APPROVER = "approver"
    """Approve plans; release the kill switch."""
    ADMIN = "admin"
    """Everything."""

    def includes(self, other: Role) -> bool:
        """Whether who has this role may do what needs ``other``."""
        order = list(Role)
        return order.index(self) >= order.index(other)
