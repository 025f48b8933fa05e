minnow embed --help
