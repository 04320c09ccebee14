"""What shows it: HTTP, the live stream, and the client."""
