"""Named labs: which simulated instruments, wired how, offering which parameters."""
