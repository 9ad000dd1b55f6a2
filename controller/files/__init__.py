"""What users write: campaign files, lab files and the tables they point to, read and checked before anything moves."""
