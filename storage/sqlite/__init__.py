"""SQLite behind the protocol of storage: one writer, several readers, SQL in files."""
