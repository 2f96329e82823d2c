"""The command line of the server: one file per group of verbs. The licensee's verbs come from `opendepot.cli`."""
