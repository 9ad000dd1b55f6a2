"""The door between what people set and what models compute with: settings, search coordinates, columns."""
