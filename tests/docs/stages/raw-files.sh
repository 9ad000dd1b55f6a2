mkdir -p copied/files
