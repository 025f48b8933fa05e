minnow eval --help
