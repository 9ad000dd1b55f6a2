"""`labwright campaign watch`: a campaign live in the terminal, here or over ssh; it is read from the store, whoever controls it."""
