minnow
