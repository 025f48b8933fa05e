minnow tokenize --help
