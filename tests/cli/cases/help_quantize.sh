minnow quantize --help
