"""The wire protocol: messages, their frames, and the two sessions as pure state machines."""
