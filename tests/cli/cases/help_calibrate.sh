minnow calibrate --help
