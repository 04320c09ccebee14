"""Plants: separate processes that a twin can be tied to. They know nothing of gemeos."""
