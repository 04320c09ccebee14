"""Numbers with units, instants and spans: what people write at the edges of the system."""

from gemeos.units.instant import Instant, Span, instant, iso, span, span_told, zone
from gemeos.units.quantity import Quantity, conversion, quantity
from gemeos.units.usual import known_unit

__all__ = [
    "Instant",
    "Quantity",
    "Span",
    "conversion",
    "instant",
    "iso",
    "known_unit",
    "quantity",
    "span",
    "span_told",
    "zone",
]
