"""The twins that come with Gemeos, the same five files each."""
