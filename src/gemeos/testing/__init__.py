"""Contract suites and tools for tests of what plugs into Gemeos."""
