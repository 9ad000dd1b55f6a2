"""What things are: pure data and rules, no torch, no SQL, no sockets."""
