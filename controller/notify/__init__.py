"""Tells people, while they are away, what campaigns need and what they have reached: off the control loop, at least once."""
