"""City traffic: a district that lives by itself, counts, and obeys its signal cabinets' rules."""
