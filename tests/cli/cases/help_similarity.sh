minnow similarity --help
