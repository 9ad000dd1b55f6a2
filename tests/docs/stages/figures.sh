labwright demo --plain
