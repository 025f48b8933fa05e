minnow --help
