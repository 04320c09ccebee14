"""Figures as ratios: what Gemeos does beside a peer or a limit, measured in the same run.

``python -m tools.bench`` prints them and writes ``build/bench.json``; docs/reference/bench.md says
what each of them means.
"""
