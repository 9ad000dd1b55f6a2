"""What people can ask for, each verb once: the command line and the HTTP API carry their words here."""
